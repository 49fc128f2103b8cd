"""The trial of new weights on a phantom: what passes, and what is left out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sam_med3d_checkpoints
import segvol_checkpoints
import torch
from medsam2_checkpoints import tiny_settings
from sam3d_checkpoints import write_published
from sam_checkpoints import tiny_is_published

from MedSegFMLib import registry
from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models import phantom_trial
from MedSegFMLib.models.medsam2 import config_file
from MedSegFMLib.models.phantom_trial import LEFT_OUT, PhantomTrial, phantom
from MedSegFMLib.progress import no_progress
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.checksums import sha256_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder; the tiny networks are known."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setattr(phantom_trial, "free_bytes", lambda: None)
    with (
        tiny_is_published(),
        sam_med3d_checkpoints.tiny_is_published(),
        segvol_checkpoints.tiny_is_published(),
    ):
        yield tmp_path / "store"


def tried(name: str, path: Path) -> str:
    """Import weights; what was left out of their trial."""
    trial = PhantomTrial()
    installing.import_file(name, path, sha256_of(path) if name == "sam" else None, trial)
    return trial.left_out


def test_weights_of_every_family_pass_where_all_they_need_is_installed(
    sam_weights: Path,
    adapter: Path,
    sam3d_weights: Path,
    nninteractive_folder: Path,
    voxtell_folder: Path,
    nnunet_folder: Path,
    bundle: Path,
    sam3_weights: Path,
    medsam2_weights: Path,
    sam_med3d_weights: Path,
    segvol_weights: Path,
    vista3d_weights: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The store has SAM3's configuration, which is not MedSAM2's.
    monkeypatch.setattr(config_file, "published", tiny_settings)
    shipped = store.shipped("ensam")
    assert shipped is not None
    folder.mkdir()
    for name in ("config.json", "vocab.json", "merges.txt"):
        shutil.copyfile(sam3_weights.with_name(name), folder / name)
    given = {
        "ensam": shipped,
        "sam": sam_weights,
        "medsam": sam_weights,
        "crossplane": adapter,
        "sam3d": sam3d_weights,
        "nninteractive": nninteractive_folder,
        "voxtell": voxtell_folder,
        "nnunet": nnunet_folder,
        "segresnet": bundle,
        "medical-sam3": sam3_weights,
        "medsam2": medsam2_weights,
        "sam-med3d": sam_med3d_weights,
        "segvol": segvol_weights,
        "vista3d": vista3d_weights,
    }
    assert set(given) == {card.weights for card in registry.cards() if card.weights}
    assert {name: tried(name, path) for name, path in given.items()} == dict.fromkeys(given, "")
    assert not [path for path in folder.iterdir() if ".graph." in path.name or ".tmp" in path.name]


@pytest.mark.parametrize("name", ["sam3d", "segresnet"])
def test_a_network_of_classes_that_scores_all_alike_is_refused(
    name: str, sam_weights: Path, sam3d_weights: Path, bundle: Path, tmp_path: Path
) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    tried("sam", sam_weights)
    copy = tmp_path / name
    if name == "sam3d":
        with safe_open(str(sam3d_weights), framework="pt") as file:
            metadata = file.metadata()
        zeros = {n: torch.zeros_like(t) for n, t in load_file(str(sam3d_weights)).items()}
        save_file(zeros, str(copy), metadata)
    else:
        shutil.copytree(bundle, copy)
        state = torch.load(bundle / "models" / "model.pt")
        torch.save({n: torch.zeros_like(t) for n, t in state.items()}, copy / "models" / "model.pt")
    with pytest.raises(WeightsError, match="computes the same value everywhere"):
        tried(name, copy)


def test_what_an_adapter_or_decoder_lacks_is_said_and_does_not_refuse_it(
    adapter: Path, sam3d_weights: Path, sam3_weights: Path, folder: Path, tmp_path: Path
) -> None:
    assert tried("crossplane", adapter).startswith(f"{LEFT_OUT} (the file is an adapter of")
    assert "weights of sam are not installed" in tried("sam3d", sam3d_weights)
    published = write_published(tmp_path / "published.pth")
    assert "does not specify for which classes" in tried("sam3d", published)
    shutil.copyfile(sam3_weights.with_name("config.json"), folder / "config.json")
    assert "There is no tokenizer" in tried("medical-sam3", sam3_weights)


@pytest.mark.parametrize("lack", ["packages", "memory"])
def test_without_packages_or_memory_the_values_are_checked_alone(
    lack: str, sam_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lack == "packages":
        monkeypatch.setattr(registry, "missing_packages", lambda card: ["segment_anything"])
    else:
        monkeypatch.setattr(phantom_trial, "free_bytes", lambda: 10**9)
    said = tried("medsam", sam_weights)
    words = "segment_anything is not installed" if lack == "packages" else "1.0 GB are free"
    assert said.startswith(LEFT_OUT) and said.endswith(").") and words in said
    state = torch.load(sam_weights, weights_only=True)
    next(iter(state.values())).view(-1)[0] = float("nan")
    bad = tmp_path / "bad.pth"
    torch.save(state, bad)
    before = store.find("medsam").read_bytes()
    with pytest.raises(WeightsError, match="not finite numbers"):
        tried("medsam", bad)
    assert store.find("medsam").read_bytes() == before


def test_the_phantom_is_a_ball_brighter_than_all_around_it() -> None:
    for slices in (1, 40):
        volume, ball = phantom(slices)
        assert volume.array_kji.shape == ball.shape == (slices, 40, 40)
        assert volume.array_kji[ball].min() > volume.array_kji[~ball].max()


def test_the_shipped_weights_find_the_ball_well_above_the_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = store.shipped("ensam")
    assert shipped is not None
    monkeypatch.setattr(phantom_trial, "_LEAST_DICE", 0.9)
    PhantomTrial()("ensam", shipped, no_progress)
