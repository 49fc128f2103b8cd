"""VISTA3D's weights: read strictly, in both published layouts."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import vista3d132
from vista3d_checkpoints import PUBLISHED, random_vista3d, write_checkpoint

from MedSegFMLib import create
from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models.vista3d import weights as vista3d_weights
from MedSegFMLib.registry import card
from MedSegFMLib.weights.catalogue import entry


def test_the_published_network_has_259_tensors_and_217964982_parameters() -> None:
    with torch.device("meta"):
        network: Any = vista3d132(encoder_embed_dim=PUBLISHED)
    assert len(network.state_dict()) == 259
    assert sum(parameter.numel() for parameter in network.parameters()) == 217_964_982


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("model.pt", ""),
        ("model.pt", "network."),
        ("m.safetensors", ""),
        ("m.safetensors", "network."),
    ],
)
def test_every_published_layout_gives_the_same_network(
    name: str, prefix: str, tmp_path: Path
) -> None:
    found: Any = vista3d_weights.load(write_checkpoint(tmp_path / name, prefix=prefix))
    wanted = random_vista3d().state_dict()
    assert found.state_dict().keys() == wanted.keys()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.state_dict().items())


def test_missing_extra_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = random_vista3d().state_dict()
    lost = "point_head.zeroshot_embed.weight"
    for changed, fault in (
        ({n: t for n, t in state.items() if n != lost}, f"{lost} is missing"),
        ({**state, "head.bias": torch.zeros(2)}, r"head\.bias is unknown.*as they are published"),
        ({**state, lost: torch.zeros(3, 4)}, rf"{lost} is \(3, 4\) instead of \(1, 8\)"),
        ({}, r"class_head\.class_embeddings\.weight is missing"),
        ({"class_head.class_embeddings.weight": torch.zeros(512, 9)}, "is 9 numbers wide"),
    ):
        torch.save(changed, tmp_path / "model.pt")
        with pytest.raises(WeightsError, match=fault):
            vista3d_weights.load(tmp_path / "model.pt")


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = random_vista3d().state_dict()
    state["point_head.mask_tokens.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="not finite"):
        vista3d_weights.load(tmp_path / "model.pt")


def test_a_file_that_would_run_code_is_never_loaded(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return print, ("ran",)

    path = tmp_path / "model.pt"
    torch.save({"model": {"x": Harmful()}}, path)
    with pytest.raises(WeightsError, match="never loaded"):
        vista3d_weights.load(path)
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(WeightsError):
        vista3d_weights.load(path)


def test_without_weights_a_sentence_leads_to_them_and_their_contradictory_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"contradictory.*NCLS v1.*weights import vista3d FILE"):
        create("vista3d", "cpu")
    assert entry("vista3d").licence == card("vista3d").weights_licence
    assert not entry("vista3d").permissive
