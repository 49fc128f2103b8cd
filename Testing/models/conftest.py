"""Models ready to run: those with weights get random ones in the published layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sam_checkpoints import tiny_is_published, write_checkpoint

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
def models() -> dict[str, Segmenter]:
    """The models that a test already asked for: some take long to get ready."""
    return {}


@pytest.fixture(params=MODELS)
def model(
    request: pytest.FixtureRequest,
    models: dict[str, Segmenter],
    weights: Path,
    sam_weights: Path,
) -> Iterator[Segmenter]:
    """Every registered model, so that a new one is tested without writing a test."""
    files = {"ensam": weights, "sam": sam_weights, "medsam": sam_weights}
    threads = torch.get_num_threads()
    # Two threads beside other work block one another: several times slower than one.
    torch.set_num_threads(1)
    if request.param not in models:
        name = card(request.param).weights
        options: dict[str, Any] = {"weights": files[name]} if name else {}
        with tiny_is_published():
            models[request.param] = create(request.param, "cpu", **options)
    yield models[request.param]
    torch.set_num_threads(threads)
