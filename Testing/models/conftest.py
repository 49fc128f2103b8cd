"""Models ready to run: those with weights get random ones in the published layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import medical_sam3_checkpoints
import medsam2_checkpoints
import pytest
import sam_med3d_checkpoints
import segresnet_bundles
import segvol_checkpoints
import torch
import vista3d_checkpoints
from sam3d_checkpoints import write_decoder
from sam_checkpoints import tiny_is_published, write_adapter, write_checkpoint

from MedSegFMLib import Segmenter, create
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.network.export import SHIPPED
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.registry import MODELS, card


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch computes with one thread, so that sums come out the same.

    Two threads beside other work block one another, too: several times slower than one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random ENSAM weights in the configuration that is shipped."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    ensam_weights.save(Ensam(SHIPPED), path)
    return path


@pytest.fixture(scope="session")
def sam_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random SAM weights with a tiny image encoder."""
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "tiny.pth")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory, sam_weights: Path) -> Path:
    """Random adapters of the random SAM."""
    return write_adapter(tmp_path_factory.mktemp("weights") / "adapter", sam_weights)


@pytest.fixture(scope="session")
def sam3d_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random decoder of SAM3D that knows two classes."""
    return write_decoder(tmp_path_factory.mktemp("weights") / "sam3d.safetensors")


@pytest.fixture(scope="session")
def sam3_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random SAM3 weights of a tiny network, its configuration and its tokenizer beside them."""
    return medical_sam3_checkpoints.write_checkpoint(tmp_path_factory.mktemp("sam3"))


@pytest.fixture(scope="session")
def medsam2_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random MedSAM2 weights of a tiny network, as they are published, with its configuration."""
    return medsam2_checkpoints.write_checkpoint(tmp_path_factory.mktemp("medsam2"), upstream=True)


@pytest.fixture(scope="session")
def nnunet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random nnU-Net of two classes, as its training writes it."""
    from nnunet_folders import write_folder

    return write_folder(tmp_path_factory.mktemp("nnunet") / "trained")


@pytest.fixture(scope="session")
def nninteractive_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random nnInteractive network, as its weights are published."""
    from nninteractive_folders import write_folder

    return write_folder(tmp_path_factory.mktemp("nninteractive") / "nnInteractive_tiny")


@pytest.fixture(scope="session")
def sam_med3d_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random SAM-Med3D weights of a tiny network, as training saves them."""
    folder = tmp_path_factory.mktemp("sam_med3d")
    return sam_med3d_checkpoints.write_checkpoint(folder / "sam_med3d_turbo.pth")


@pytest.fixture(scope="session")
def voxtell_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random VoxTell with some embedded phrases, as it is published."""
    from voxtell_folders import write_folder

    return write_folder(tmp_path_factory.mktemp("voxtell") / "voxtell_tiny")


@pytest.fixture(scope="session")
def segvol_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random SegVol weights of a tiny network, as they are published."""
    folder = tmp_path_factory.mktemp("segvol")
    return segvol_checkpoints.write_checkpoint(folder / "SegVol_v1.pth")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SegResNet of three classes, as a MONAI bundle."""
    return segresnet_bundles.write_bundle(tmp_path_factory.mktemp("segresnet") / "bundle")


@pytest.fixture(scope="session")
def vista3d_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random VISTA3D weights of a narrow network, as they are published."""
    return vista3d_checkpoints.write_checkpoint(tmp_path_factory.mktemp("vista3d") / "model.pt")


@pytest.fixture(scope="session")
def models() -> dict[str, Segmenter]:
    """The models that a test already asked for: some take long to get ready."""
    return {}


# What each kind of weights is loaded with: the names of fixtures above.
_GIVEN = {
    "ensam": {"weights": "weights"},
    "sam": {"weights": "sam_weights"},
    "medsam": {"weights": "sam_weights"},
    "crossplane": {"weights": "adapter", "base": "sam_weights"},
    "medical-sam3": {"weights": "sam3_weights"},
    "medsam2": {"weights": "medsam2_weights"},
    "sam3d": {"weights": "sam3d_weights", "base": "sam_weights"},
    "nninteractive": {"weights": "nninteractive_folder"},
    "sam-med3d": {"weights": "sam_med3d_weights"},
    "voxtell": {"weights": "voxtell_folder"},
    "segvol": {"weights": "segvol_weights"},
    "nnunet": {"weights": "nnunet_folder"},
    "segresnet": {"weights": "bundle"},
    "vista3d": {"weights": "vista3d_weights"},
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "sam3d": {"cache_bytes": 0},
    # Random weights change everything everywhere, so that the session would always zoom.
    "nninteractive": {"autozoom": "no"},
    "vista3d": {"patch": vista3d_checkpoints.PATCH},
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, models: dict[str, Segmenter]) -> Iterator[Segmenter]:
    """Every registered model, so that a new one is tested without writing a test."""
    threads = torch.get_num_threads()
    # Two threads beside other work block one another: several times slower than one.
    torch.set_num_threads(1)
    if request.param not in models:
        name = card(request.param).weights
        fixtures = _GIVEN[name] if name else {}
        given = {option: request.getfixturevalue(own) for option, own in fixtures.items()}
        with (
            tiny_is_published(),
            sam_med3d_checkpoints.tiny_is_published(),
            segvol_checkpoints.tiny_is_published(),
        ):
            models[request.param] = create(
                request.param, "cpu", **given, **_OPTIONS.get(request.param, {})
            )
    yield models[request.param]
    torch.set_num_threads(threads)
