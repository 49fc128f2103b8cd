"""What weights do not say of themselves is given once, at their import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from command_line import refused, run
from medical_sam3_checkpoints import write_checkpoint, write_tokenizer
from sam3d_checkpoints import write_published
from sam_checkpoints import tiny_is_published
from sam_checkpoints import write_checkpoint as write_sam

from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.evaluate.results.weights_used import weights_used
from MedSegFMLib.models.medical_sam3.tokenizer import files_in, imported_folder
from MedSegFMLib.registry import create
from MedSegFMLib.weights import store
from MedSegFMLib.weights.installing import import_file
from MedSegFMLib.weights.recorded_options import options_file, record_options, recorded_options


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_options_of_an_import_hold_whenever_the_weights_are_used(
    tmp_path: Path, untried: None, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_sam(tmp_path / "sam.pth")
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    words = ["--option", "classes=liver,spleen", "--option", "patch=32", "--option", "depth=4"]
    assert run("weights", "import", "sam3d", path, *words) == 0
    assert recorded_options("sam3d") == {"classes": "liver,spleen", "patch": "32", "depth": "4"}
    with tiny_is_published():
        made: Any = create("sam3d", "cpu", base=base, cache_bytes=0)
        # What is given counts first; a file that is named has nothing recorded.
        other: Any = create("sam3d", "cpu", base=base, classes="a,b", cache_bytes=0)
    assert made.classes == ("liver", "spleen") and other.classes == ("a", "b")
    with pytest.raises(ModelError, match="does not specify"):
        create("sam3d", "cpu", weights=path, base=base)
    assert run("weights", "import", "sam3d", path) == 0
    assert recorded_options("sam3d") == {}
    first, second = capsys.readouterr().out.split("They do not say ")[1:]
    assert first.startswith("images, spacing,") and second.startswith("classes, patch, depth,")
    assert "no option 'clases'" in refused(
        capsys, "weights", "import", "sam3d", path, "--option", "clases=a"
    )
    assert "not NAME=VALUE" in refused(
        capsys, "weights", "import", "sam3d", path, "--option", "classes"
    )


def test_weights_that_take_the_place_of_others_do_not_get_their_options_or_tokenizer(
    tmp_path: Path, untried: None
) -> None:
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    assert run("weights", "import", "sam3d", path, "--option", "patch=32") == 0
    import_file("sam3d", path)
    assert recorded_options("sam3d") == {}
    sam3 = write_checkpoint(tmp_path / "from", tracker=False)
    assert run("weights", "import", "medical-sam3", sam3) == 0
    assert imported_folder(store.find("medical-sam3")).is_dir()
    import_file("medical-sam3", sam3)
    assert not imported_folder(store.find("medical-sam3")).exists()


def test_a_file_that_an_option_names_is_found_from_every_folder(
    tmp_path: Path, untried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sam(tmp_path / "sam.pth")
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    monkeypatch.chdir(tmp_path)
    assert run("weights", "import", "sam3d", path, "--option", "base=sam.pth") == 0
    assert recorded_options("sam3d") == {"base": str((tmp_path / "sam.pth").resolve())}


def test_evaluations_tell_weights_with_other_recorded_options_apart(
    tmp_path: Path, untried: None
) -> None:
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    used = []
    for words in (["--option", "patch=32"], ["--option", "patch=64"], []):
        assert run("weights", "import", "sam3d", path, *words) == 0
        used.append(weights_used(["sam3d"])["sam3d"])
    assert len(set(used)) == 3 and used[0] == f"{used[2]} patch=32"


def test_reports_do_not_tell_the_users_own_options(folder: Path) -> None:
    (folder / "voxtell").mkdir(parents=True)
    record_options(folder / "voxtell", {"text_encoder": "/home/me/qwen"})
    assert weights_used(["voxtell"]) == {"voxtell": "unknown text_encoder=*"}


def test_a_trial_without_an_import_takes_the_same_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_sam(tmp_path / "sam.pth")
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    words = ["--option", "classes=liver,spleen", "--option", "patch=32", "--option", "depth=4"]
    with tiny_is_published():
        assert run("weights", "try", "sam3d", path, *words, "--option", f"base={base}") == 0
        assert "was loaded and run" in capsys.readouterr().out
        assert run("weights", "try", "sam3d", path) == 0
        assert "left out (the file does not specify" in capsys.readouterr().out
    assert "no option 'clases'" in refused(
        capsys, "weights", "try", "sam3d", path, "--option", "clases=a"
    )


def test_options_that_are_damaged_are_refused_and_removed_with_the_weights(
    tmp_path: Path, untried: None
) -> None:
    path = write_published(tmp_path / "sam3d.pth", classes=3)
    assert run("weights", "import", "sam3d", path, "--option", "patch=32") == 0
    file = options_file(store.find("sam3d"))
    for text in ("{", '{"patch": 3}'):
        file.write_text(text)
        with pytest.raises(WeightsError, match="import the weights again"):
            recorded_options("sam3d")
    assert run("weights", "remove", "sam3d") == 0
    assert not file.exists() and recorded_options("sam3d") == {}


@pytest.mark.parametrize("named", [True, False])
def test_the_tokenizer_comes_along(
    named: bool, tmp_path: Path, untried: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_checkpoint(tmp_path / "from", tracker=False)
    words: list[object] = []
    if named:
        (tmp_path / "from" / "vocab.json").unlink()
        words = ["--tokenizer", write_tokenizer(tmp_path / "words")]
    assert run("weights", "import", "medical-sam3", path, *words) == 0
    installed = store.find("medical-sam3")
    assert files_in(imported_folder(installed)) == ("vocab.json", "merges.txt")
    capsys.readouterr()
    told = refused(
        capsys, "weights", "import", "medical-sam3", path, "--tokenizer", tmp_path / "nowhere"
    )
    assert "no tokenizer in" in told
    assert "has no option 'tokenizer'" in refused(
        capsys, "weights", "import", "sam", path, "--tokenizer", tmp_path
    )
    assert run("weights", "remove", "medical-sam3") == 0
    assert not imported_folder(installed).exists()
    assert json.dumps(recorded_options("medical-sam3")) == "{}"
