"""Options that weights lack are asked for at their import, and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from host.panel_driver import Desk

from MedSegFMLib import registry
from MedSegFMLib.models.importing import asked_for
from MedSegFMLib.weights import store
from MedSegFMLib.weights.recorded_options import recorded_options

pytest.importorskip("torch")
pytest.importorskip("transformers")

from medical_sam3_checkpoints import write_checkpoint, write_tokenizer
from sam3d_checkpoints import random_decoder, write_published

from MedSegFMLib.models.medical_sam3.tokenizer import files_in, imported_folder
from MedSegFMLib.models.sam3d.weights import Sam3dFacts, save

OF_SAM3D = {"classes": "liver,spleen", "patch": "32", "depth": "4"}


class NoTrial:
    """A trial that any weights pass, which keeps the options that it was made with."""

    left_out = ""
    options: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, options: Any) -> None:
        type(self).options = dict(options)

    def __call__(self, *_: Any) -> None: ...


def import_into(desk: Desk, model: str, path: Path, values: dict[str, str] | None) -> None:
    """Click on Import weights, choose a file, and answer what is asked."""
    desk.panel.parameters.model = type(desk.panel.parameters.model)[model]
    desk.panel.models.installing.make_trial = NoTrial
    desk.panel.dialogs.path, desk.panel.dialogs.values = str(path), values
    desk.panel.dialogs.asked = ()
    desk.wait()
    desk.ui.importButton.click()
    desk.wait(lambda: not desk.panel.models.installing.is_busy)


def test_a_published_decoder_is_tried_and_recorded_with_the_answers(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    import_into(desk, "sam3d", path, OF_SAM3D)
    assert desk.panel.dialogs.asked[:4] == ("classes", "patch", "depth", "images")
    assert "imported" in desk.ui.statusLabel.text
    assert recorded_options("sam3d") == NoTrial.options == OF_SAM3D
    # Other answers take their place.
    import_into(desk, "sam3d", path, {"classes": "a,b"})
    assert recorded_options("sam3d") == {"classes": "a,b"}


def test_nothing_is_imported_if_the_user_cancels(desk: Desk, tmp_path: Path) -> None:
    import_into(desk, "sam3d", write_published(tmp_path / "sam3d.pth", classes=3), None)
    assert "sam3d" not in {item.name for item in store.installed()}
    assert desk.ui.importButton.enabled


def test_a_decoder_that_says_everything_is_imported_without_questions(
    desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "own.safetensors"
    save(random_decoder(classes=3), Sam3dFacts(("liver", "spleen"), 32, 4), path)
    import_into(desk, "sam3d", path, None)
    assert desk.panel.dialogs.asked == () and recorded_options("sam3d") == {}
    assert store.find("sam3d").is_file()
    # Of a decoder that was trained on another SAM, that one alone is asked for.
    other = Sam3dFacts(("liver", "spleen"), 32, 4, base_sha256="0" * 64)
    save(random_decoder(classes=3), other, path)
    assert [option.name for option in asked_for("sam3d", path)] == ["base"]


def test_a_tokenizer_is_asked_for_unless_it_lies_beside_the_weights(
    desk: Desk, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path / "from", tracker=False)
    import_into(desk, "medical-sam3", path, None)
    assert desk.panel.dialogs.asked == ()
    assert files_in(imported_folder(store.find("medical-sam3"))) == ("vocab.json", "merges.txt")
    (tmp_path / "from" / "vocab.json").unlink()
    words = write_tokenizer(tmp_path / "words")
    import_into(desk, "medical-sam3", path, {"tokenizer": str(words)})
    assert desk.panel.dialogs.asked == ("tokenizer",)
    assert files_in(imported_folder(store.find("medical-sam3"))) == ("vocab.json", "merges.txt")
    assert recorded_options("medical-sam3") == {}
    import_into(desk, "medical-sam3", path, {"tokenizer": str(tmp_path / "nowhere")})
    assert "no tokenizer in" in desk.ui.statusLabel.text


# PythonQt has this name.
@pytest.mark.filterwarnings("ignore:'exec_' will be removed")
def test_the_dialog_has_a_field_for_each_option_and_chooses_files(desk: Desk) -> None:
    import qt
    from MedSegFMPanel.model.import_dialog import ImportDialog

    options = [option for option in registry.card("sam3d").options if option.at_import]
    dialog = ImportDialog("Weights of SAM3D", options, desk.panel.dialogs)
    assert list(dialog.fields) == [option.name for option in options]
    dialog.fields["classes"].text = " liver,spleen "
    desk.panel.dialogs.path = "/own/sam.pth"
    buttons = dialog.dialog.findChildren(qt.QPushButton)
    (browse,) = (button for button in buttons if "Browse" in button.property("text"))
    browse.click()
    qt.QTimer.singleShot(0, dialog.dialog.accept)
    assert dialog.ask() == {"classes": "liver,spleen", "base": "/own/sam.pth"}
    cancelled = ImportDialog("Weights of SAM3D", options, desk.panel.dialogs)
    qt.QTimer.singleShot(0, cancelled.dialog.reject)
    assert cancelled.ask() is None
