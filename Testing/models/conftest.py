"""Models ready to run: those with weights get random ones in the published layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import medical_sam3_checkpoints
import pytest
import torch
from sam3d_checkpoints import write_decoder
from sam_checkpoints import tiny_is_published, write_adapter, write_checkpoint

from MedSegFMLib import Segmenter, create
from MedSegFMLib.models import ensam_weights
from MedSegFMLib.networks.ensam import Ensam
from MedSegFMLib.networks.ensam_export import SHIPPED
from MedSegFMLib.registry import MODELS, card


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
def models() -> dict[str, Segmenter]:
    """The models that a test already asked for: some take long to get ready."""
    return {}


@pytest.fixture(params=MODELS)
def model(
    request: pytest.FixtureRequest,
    models: dict[str, Segmenter],
    weights: Path,
    sam_weights: Path,
    adapter: Path,
    sam3d_weights: Path,
    sam3_weights: Path,
) -> Iterator[Segmenter]:
    """Every registered model, so that a new one is tested without writing a test."""
    given: dict[str, dict[str, Any]] = {
        "ensam": {"weights": weights},
        "sam": {"weights": sam_weights},
        "medsam": {"weights": sam_weights},
        "crossplane": {"weights": adapter, "base": sam_weights},
        "medical-sam3": {"weights": sam3_weights},
        "sam3d": {"weights": sam3d_weights, "base": sam_weights, "cache_bytes": 0},
    }
    threads = torch.get_num_threads()
    # Two threads beside other work block one another: several times slower than one.
    torch.set_num_threads(1)
    if request.param not in models:
        name = card(request.param).weights
        with tiny_is_published():
            models[request.param] = create(request.param, "cpu", **(given[name] if name else {}))
    yield models[request.param]
    torch.set_num_threads(threads)
