"""Every model with a network of others': whatever that raises or returns is a named error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nnunet_folders
import pytest
import sam_med3d_checkpoints
import segvol_checkpoints
import torch
from nnunet_folders import CONFIGURATION, write_folder
from sample_volumes import make_blob
from worker_helpers import final_of

from MedSegFMLib import Box, Geometry, Session, Text, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.segmenter import Segmenter
from MedSegFMLib.system.atomic_files import write_text
from MedSegFMLib.worker.client import Failed, LocalLauncher, Request, WorkerClient

VOLUME = make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]
# Those whose network is run by torch alone.
BY_TORCH = (
    *("nninteractive", "voxtell", "nnunet", "segresnet"),
    *("medical-sam3", "medsam2", "sam-med3d", "segvol", "sam3d"),
)


def session_of(model: Segmenter) -> Session:
    session = Session(model, VOLUME)
    text = Text(model.classes[0] if model.classes else "liver")
    box = Box.from_ijk(VOLUME.geometry, (4, 3, 1), (20, 18, 11))
    session.add(text if "text" in model.card.prompts else box)
    return session


class Panic(BaseException):
    """As Rust's in Python."""


@pytest.mark.parametrize("model", BY_TORCH, indirect=True)
@pytest.mark.parametrize("raised", [KeyError("x"), RecursionError(), AssertionError(), Panic()])
def test_what_a_network_raises_is_a_named_error(
    model: Segmenter, raised: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(model)

    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(torch.nn.Module, "__call__", fail)
    with pytest.raises(ModelError, match=f"{model.card.name}.* failed"):
        session.predict()


@pytest.mark.parametrize("model", BY_TORCH, indirect=True)
def test_a_network_that_returns_nan_is_no_empty_object(
    model: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(model)

    def not_finite(function: Any) -> Any:
        return lambda *given, **named: function(*given, **named) * float("nan")

    for layer in (torch.nn.Conv2d, torch.nn.Conv3d):
        monkeypatch.setattr(layer, "_conv_forward", not_finite(layer._conv_forward))
    # SegVol has no others.
    upscaling = torch.nn.ConvTranspose3d
    monkeypatch.setattr(upscaling, "forward", not_finite(upscaling.forward))
    with pytest.raises(ModelError, match=r"not finite|too large for 16 bits"):
        session.predict()


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A trained folder that loads, whose network fails in its decoder: 15 is not 2 times 8."""
    folder = write_folder(tmp_path / "trained")
    plans = nnunet_folders.plans()
    plans["configurations"][CONFIGURATION]["patch_size"] = [8, 15, 15]
    write_text(folder / "plans.json", json.dumps(plans))
    return folder


def test_the_command_line_reports_it_in_a_line(
    failing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    VOLUME.write(tmp_path / "v.nii.gz")
    words = ["segment", str(tmp_path / "v.nii.gz"), "--model", "nnunet", "--device", "cpu"]
    words += ["--weights", str(failing), "--out", str(tmp_path / "s.nii.gz")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"nnunet with the weights {failing} failed" in said and "Traceback" not in said
    assert not (tmp_path / "s.nii.gz").exists()


def test_a_worker_reports_it_and_goes_on(failing: Path, nnunet_folder: Path) -> None:
    client = WorkerClient(LocalLauncher())
    client.set_volume(VOLUME)
    prompts = PromptList().with_object("a").added(1, Text("liver"))
    try:
        for folder, is_failing in ((failing, True), (nnunet_folder, False), (failing, True)):
            request = Request("nnunet", prompts, "cpu", {"weights": str(folder)})
            final = final_of(client, client.request(request))[-1]
            assert isinstance(final, Failed) == is_failing
            if isinstance(final, Failed):
                assert type(final.error) is ModelError and "failed" in str(final.error)
                assert not final.last_words
    finally:
        client.close()


def test_whatever_a_package_raises_while_loading_is_a_named_error(
    nninteractive_folder: Path,
    voxtell_folder: Path,
    nnunet_folder: Path,
    bundle: Path,
    sam3_weights: Path,
    medsam2_weights: Path,
    sam_med3d_weights: Path,
    segvol_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(torch.nn.Module, "__init__", fail)
    for name, path in (
        ("nninteractive", nninteractive_folder),
        ("voxtell", voxtell_folder),
        ("nnunet", nnunet_folder),
        ("segresnet", bundle),
        ("medical-sam3", sam3_weights),
        ("medsam2", medsam2_weights),
        ("sam-med3d", sam_med3d_weights),
        ("segvol", segvol_weights),
    ):
        said = pytest.raises(WeightsError, match=r"cannot be loaded .*RecursionError: too deep")
        with (
            said,
            sam_med3d_checkpoints.tiny_is_published(),
            segvol_checkpoints.tiny_is_published(),
        ):
            create(name, "cpu", weights=path)
