"""Every family refuses weights with a value that is not a finite number, wherever it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sam_med3d_checkpoints
import torch
from hostile_weights import with_payload
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sam_checkpoints import tiny_is_published, write_adapter

from MedSegFMLib import create
from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.models.common.state_dict import check_finite
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.phantom_trial import PhantomTrial, phantom
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Box
from MedSegFMLib.system.foreign_errors import check_finite_output
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.checksums import sha256_of

NOT_FINITE = "values that are not finite numbers"


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny networks are known, and nothing is installed."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    with tiny_is_published():
        yield


def spoilt(tensors: Mapping[str, torch.Tensor], part: str, value: float) -> dict[str, Any]:
    """The tensors with one value exchanged, in the last one whose name contains `part`."""
    state = {name: tensor.clone() for name, tensor in tensors.items()}
    name = [n for n, t in state.items() if part in n and t.is_floating_point() and t.numel()][-1]
    state[name].view(-1)[-1] = value
    return state


def spoil(path: Path, target: Path, part: str = "", value: float = float("nan")) -> Path:
    """A copy of a file of tensors with one value exchanged."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
        save_file(spoilt(load_file(str(path)), part, value), str(target), metadata)
        return target
    held = torch.load(path, weights_only=False)
    if "network_weights" in held:
        held["network_weights"] = spoilt(held["network_weights"], part, value)
    else:
        held = spoilt(held, part, value)
    torch.save(held, target)
    return target


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("family", ["sam", "medsam", "sam3d"])
def test_a_file_with_such_a_value_is_refused(
    family: str, value: float, sam_weights: Path, sam3d_weights: Path, tmp_path: Path
) -> None:
    path = sam3d_weights if family == "sam3d" else sam_weights
    bad = spoil(path, tmp_path / path.name, value=value)
    with pytest.raises(WeightsError, match=f"{bad} contains {NOT_FINITE}"):
        create(family, "cpu", weights=bad)
    with pytest.raises(WeightsError, match=NOT_FINITE):
        installing.import_file(family, bad, sha256_of(bad), PhantomTrial())
    assert not store.folder().exists()


def test_a_training_checkpoint_with_such_a_value_is_refused(
    sam_med3d_weights: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.pth"
    content = torch.load(sam_med3d_weights, weights_only=False)
    content["model_state_dict"] = spoilt(content["model_state_dict"], "", float("nan"))
    torch.save(content, bad)
    with sam_med3d_checkpoints.tiny_is_published():
        with pytest.raises(WeightsError, match=NOT_FINITE):
            create("sam-med3d", "cpu", weights=bad)
        with pytest.raises(WeightsError, match=NOT_FINITE):
            installing.import_file("sam-med3d", bad, trial=PhantomTrial())


def test_both_runtimes_of_ensam_refuse_it(weights: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(with_payload(weights.read_bytes(), "nan"))
    with pytest.raises(WeightsError, match=NOT_FINITE):
        create("ensam", "cpu", weights=bad)
    with pytest.raises(WeightsError, match=NOT_FINITE):
        ensam_weights.load(bad)


def test_an_adapter_with_such_a_value_is_refused(
    adapter: Path, sam_weights: Path, tmp_path: Path
) -> None:
    bad = spoil(adapter / "adapter_model.safetensors", tmp_path / "adapter_model.safetensors")
    with pytest.raises(WeightsError, match=NOT_FINITE):
        create("crossplane", "cpu", weights=bad, base=sam_weights)
    with pytest.raises(WeightsError, match=NOT_FINITE):
        installing.import_file("crossplane", bad, trial=PhantomTrial())


def test_an_adapter_whose_product_overflows_is_refused(sam_weights: Path, tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "adapter", sam_weights)
    file = folder / "adapter_model.safetensors"
    with safe_open(str(file), framework="pt") as tensors:
        metadata = tensors.metadata()
    huge = {name: tensor * 1e30 for name, tensor in load_file(str(file)).items()}
    save_file(huge, str(file), metadata)
    with pytest.raises(WeightsError, match=NOT_FINITE):
        create("crossplane", "cpu", weights=folder, base=sam_weights)


@pytest.mark.parametrize("part", ["detector_model.", "tracker_model.", "tracker_neck."])
def test_detector_and_tracker_of_medical_sam3_are_checked(
    part: str, sam3_weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sam3"
    shutil.copytree(sam3_weights.parent, folder)
    bad = spoil(sam3_weights, folder / sam3_weights.name, part)
    with pytest.raises(WeightsError, match=NOT_FINITE):
        create("medical-sam3", "cpu", weights=bad)


def test_folders_with_such_a_value_are_refused(
    nnunet_folder: Path, bundle: Path, tmp_path: Path
) -> None:
    for name, folder, file in (
        ("nnunet", nnunet_folder, "fold_0/checkpoint_final.pth"),
        ("segresnet", bundle, "models/model.pt"),
    ):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        spoil(folder / file, copy / file)
        with pytest.raises(WeightsError, match=NOT_FINITE):
            create(name, "cpu", weights=copy)
        with pytest.raises(WeightsError, match=NOT_FINITE):
            installing.import_file(name, copy, trial=PhantomTrial())
        assert not store.folder().exists()


def test_numbers_of_any_type_are_judged() -> None:
    good: list[Any] = [
        torch.zeros(0),
        torch.tensor([3.4e38], dtype=torch.float64),
        torch.tensor([2**60]),
        torch.tensor([True]),
        torch.ones(4).to(torch.float8_e5m2),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(1).expand(10**9, 10**9),
        np.ones(3, np.float16),
        np.arange(3),
    ]
    for value in good:
        check_finite({"w": value}, Path("w"))
    bad: list[Any] = [
        torch.tensor([1e39], dtype=torch.float64),
        torch.tensor([1 + 1j]),
        torch.tensor([float("nan")]).to(torch.float8_e5m2),
        torch.tensor([1.0, float("inf")], dtype=torch.float16),
        torch.tensor(float("nan")).expand(10**9, 10**9),
        np.array([np.nan, 1]),
        np.array([1j]),
        np.array([1e39]),
    ]
    for value in bad:
        with pytest.raises(WeightsError, match=NOT_FINITE):
            check_finite({"w": value}, Path("w"))


@pytest.mark.parametrize("family", ["ensam", "sam"])
def test_a_network_that_overflows_gives_an_error_and_no_empty_mask(
    family: str, weights: Path, sam_weights: Path, tmp_path: Path
) -> None:
    if family == "ensam":
        bad = tmp_path / "huge.safetensors"
        bad.write_bytes(with_payload(weights.read_bytes(), "huge"))
    else:
        bad = tmp_path / "huge.pth"
        state = torch.load(sam_weights, weights_only=True)
        torch.save({name: tensor * 1e30 for name, tensor in state.items()}, bad)
    model = create(family, "cpu", weights=bad)
    volume, _ = phantom(1 if family == "sam" else 16)
    with pytest.raises(ModelError, match=rf"{family}.* returned numbers that are not finite"):
        model.predict(
            model.encode(volume, None, no_progress),
            [Box.from_ijk(volume.geometry, (10, 10, 0), (30, 30, 1))],
            None,
            no_progress,
        )


def test_answers_without_values_are_finite() -> None:
    check_finite_output(np.zeros((0, 3), np.float32), "ensam")
    with pytest.raises(ModelError, match="The model sam returned"):
        check_finite_output(np.array([0, np.nan]), "sam")
