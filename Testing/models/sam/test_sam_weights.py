"""SAM checkpoints: read as published, and refused in one sentence where they are anything else."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from sam_checkpoints import TINY, random_sam, tiny_is_published, write_checkpoint

from MedSegFMLib.cli import main
from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models.sam import loading
from MedSegFMLib.models.sam import weights as sam_weights
from MedSegFMLib.weights import catalogue, installing, store
from MedSegFMLib.weights.checksums import record, sha256_of


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "sam.pth")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def changed(path: Path, **tensors: Any) -> Path:
    """A checkpoint in which some tensors, their dots written as __, are others; None: missing."""
    state = random_sam().state_dict()
    for name, tensor in tensors.items():
        state.pop(name.replace("__", "."), None)
        if tensor is not None:
            state[name.replace("__", ".")] = tensor
    torch.save(state, path)
    return path


def test_weights_are_those_of_the_file(checkpoint: Path) -> None:
    network = sam_weights.load(checkpoint, TINY)
    expected = random_sam().state_dict()
    assert network.state_dict().keys() == expected.keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected[name]) and not tensor.requires_grad
    assert not network.training


@pytest.mark.parametrize("holder", ["model", "state_dict"])
def test_training_checkpoints_are_read(tmp_path: Path, holder: str) -> None:
    path = tmp_path / "latest.pth"
    torch.save({holder: random_sam().state_dict(), "epoch": 3, "optimizer": {}}, path)
    sam_weights.load(path, TINY)


def test_safetensors_and_half_precision_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    save_file({n: t.half() for n, t in random_sam().state_dict().items()}, str(path))
    network = sam_weights.load(path, TINY)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        sam_weights.load(path, TINY)


def test_torchs_old_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    state = random_sam().state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=False)
    sam_weights.load(path, TINY)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="is damaged, or holds more than tensors"):
        sam_weights.load(path, TINY)


def test_a_network_that_nobody_published_is_refused(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match=r"none of SAM's networks \(vit_b, vit_l, vit_h\)"):
        sam_weights.load(checkpoint)
    with tiny_is_published():
        assert sam_weights.load(checkpoint).config == TINY


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    path = changed(
        tmp_path / "sam.pth",
        image_encoder__patch_embed__proj__bias=None,
        adapter__weight=torch.zeros(3),
        prompt_encoder__no_mask_embed__weight=torch.zeros(1, 128),
    )
    with pytest.raises(WeightsError) as caught:
        sam_weights.load(path, TINY)
    assert "image_encoder.patch_embed.proj.bias is missing" in str(caught.value)
    assert "adapter.weight is unknown" in str(caught.value)
    assert "prompt_encoder.no_mask_embed.weight is (1, 128) instead of (1, 256)" in str(
        caught.value
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_checkpoints_are_refused(checkpoint: Path, folder: Path, share: float) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match=r"truncated|neither a torch"):
        sam_weights.load(checkpoint, TINY)
    with pytest.raises(WeightsError, match=r"truncated|neither a torch"):
        installing.import_file("medsam", checkpoint)
    assert not folder.exists()


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("harm.txt", "w"))


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_not_run(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sam.pth"
    if how == "torch":
        torch.save({"model": Harmful()}, path)
    else:
        path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(WeightsError, match="holds more than tensors"):
        sam_weights.load(path, TINY)
    assert not (tmp_path / "harm.txt").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weight": 3}, torch.zeros(2), {0: torch.zeros(2)}])
def test_something_else_than_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "sam.pth")
    with pytest.raises(WeightsError, match="something other than a network's tensors"):
        sam_weights.load(tmp_path / "sam.pth", TINY)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pth does not exist"):
        loading.load(tmp_path / "nowhere.pth", "cpu")


def test_an_altered_file_is_refused_before_it_is_read(checkpoint: Path) -> None:
    record(checkpoint, "0" * 64)
    with pytest.raises(WeightsError, match="modified or damaged"):
        loading.load(checkpoint, "cpu")


@pytest.fixture
def published(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkpoint that the catalogue knows as a larger SAM."""
    item = catalogue.entry("sam")
    also = (*item.also, sha256_of(checkpoint))
    known = {**catalogue.entries(), "sam": catalogue.Entry(**{**vars(item), "also": also})}
    monkeypatch.setattr(catalogue, "entries", lambda: known)
    monkeypatch.setattr(store, "entries", lambda: known)
    yield checkpoint


def test_only_published_files_are_imported_as_sam(checkpoint: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match=r" or a7bf3b02.*; download it again, or confirm"):
        installing.import_file("sam", checkpoint)
    assert not folder.exists()
    installing.import_file("sam", checkpoint, sha256_of(checkpoint))


def test_a_larger_published_network_takes_the_place_of_sam(
    published: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installing.import_file("sam", published)
    store.verify_recorded(store.find("sam"))
    assert main(["weights", "list"]) == 0
    assert "published" in capsys.readouterr().out


def test_medsam_is_imported_without_a_known_hash(
    checkpoint: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WeightsError, match=r"get them from https://github\.com/bowang-lab/MedSAM"):
        store.find("medsam")
    path = installing.import_file("medsam", checkpoint)
    assert main(["weights", "list"]) == 0
    assert "imported" in capsys.readouterr().out.split("medsam")[1]
    assert path == folder / "medsam_vit_b.pth"
    store.verify_recorded(path)
