"""SAM3D's checkpoints: those that are read, those that are refused, and what options add."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sam3d_checkpoints import CLASSES, random_decoder, write_decoder, write_published

from MedSegFMLib import create
from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.models.sam3d import weights as sam3d_weights
from MedSegFMLib.models.sam3d.config import Sam3dConfig
from MedSegFMLib.models.sam3d.weights import Sam3dFacts, read_facts
from MedSegFMLib.weights import installing
from MedSegFMLib.weights.checksums import record


@pytest.mark.parametrize("holder", ["state_dict", "network_weights", "model"])
def test_published_checkpoints_are_read(tmp_path: Path, holder: str) -> None:
    path = write_published(tmp_path / "model_final.model", holder, classes=4)
    network = sam3d_weights.load(path)
    assert network.config == Sam3dConfig(4) and not network.training
    expected = random_decoder(4).state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in network.state_dict().items())
    assert read_facts(path) is None


def test_a_bare_state_dict_from_several_gpus_is_read(tmp_path: Path) -> None:
    state = {f"module.{n}": t.half() for n, t in random_decoder().state_dict().items()}
    torch.save(state, tmp_path / "parallel.pth")
    network = sam3d_weights.load(tmp_path / "parallel.pth")
    assert {t.dtype for t in network.state_dict().values()} == {torch.float32}


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = random_decoder().state_dict()
    del state["decoder3.conv2.0.bias"]
    state["out2.segmentation_head.weight"] = torch.zeros(9, 16, 1, 1, 1)
    state["image_encoder.pos_embed"] = torch.zeros(3)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError) as caught:
        sam3d_weights.load(tmp_path / "odd.pth")
    assert "decoder3.conv2.0.bias is missing" in str(caught.value)
    assert "image_encoder.pos_embed is unknown" in str(caught.value)
    assert "out2.segmentation_head.weight is (9, 16, 1, 1, 1) instead of (3," in str(caught.value)


def test_another_network_is_refused(base: Path) -> None:
    with pytest.raises(WeightsError, match="does not contain a decoder of SAM3D"):
        sam3d_weights.load(base)


def test_what_training_wrote_tells_what_it_is(decoder: Path) -> None:
    facts = read_facts(decoder)
    assert facts == Sam3dFacts(CLASSES, patch=32, depth=4)
    decoder.write_bytes(decoder.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        read_facts(decoder)


def test_weights_of_another_model_of_ours_are_refused(weights: Path, base: Path) -> None:
    with pytest.raises(WeightsError):
        create("sam3d", "cpu", weights=weights, base=base)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"patch": 16}, "multiple of 16 from 32"),
        ({"patch": 100}, "100 pixels wide"),
        ({"depth": 0}, "0 slices deep"),
        ({"classes": ("liver", " ")}, "has no name"),
        ({"classes": ("liver", "Liver")}, "are called liver"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Sam3dFacts(**{"classes": CLASSES, "patch": 32, "depth": 4, **facts})


def test_a_published_checkpoint_is_told_its_classes_and_patch(tmp_path: Path, base: Path) -> None:
    path = write_published(tmp_path / "acdc.model", classes=4)
    given: dict[str, Any] = {"weights": path, "base": base, "cache_bytes": 0}
    with pytest.raises(ModelError, match="for which classes, patch, depth it was trained"):
        create("sam3d", "cpu", **given)
    given |= {"patch": "32", "depth": "4"}
    with pytest.raises(ModelError, match=r"3 classes .* but 2 are named \(rv, lv\)"):
        create("sam3d", "cpu", classes="rv,lv", **given)
    model = create("sam3d", "cpu", classes="RV, myocardium,LV", **given)
    assert model.classes == ("RV", "myocardium", "LV")


def test_weights_that_tell_their_classes_take_no_others(decoder: Path, base: Path) -> None:
    with pytest.raises(ModelError, match="specifies its own patch; leave out patch="):
        create("sam3d", "cpu", weights=decoder, base=base, patch=64)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"overlap": "1"}, "overlap is 1"),
        ({"overlap": "half"}, "overlap is half"),
        ({"cache_bytes": "-3"}, "cache_bytes is '-3'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    decoder: Path, base: Path, option: dict[str, str], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        create("sam3d", "cpu", weights=decoder, base=base, **option)


def test_a_wrong_or_missing_or_altered_base_is_refused(
    tmp_path: Path, base: Path, folder: Path
) -> None:
    path = write_decoder(tmp_path / "own.safetensors", base_sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"was trained on the SAM with the SHA-256 0000"):
        create("sam3d", "cpu", weights=path, base=base)
    with pytest.raises(WeightsError, match="run 'medsegfm weights fetch sam' or"):
        create("sam3d", "cpu", weights=path)
    record(base, "0" * 64)
    with pytest.raises(WeightsError, match="modified or damaged"):
        create("sam3d", "cpu", weights=path, base=base)


def test_weights_of_the_store_are_used(decoder: Path, base: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"get them from https://github\.com/UARK-AICV/SAM3D"):
        create("sam3d", "cpu", base=base)
    installing.import_file("sam3d", decoder)
    assert create("sam3d", "cpu", base=base).classes == CLASSES
