"""Models ready to run: those with weights get random ones in the published layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

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


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, weights: Path) -> Iterator[Segmenter]:
    """Every registered model, so that a new one is tested without writing a test."""
    options: dict[str, Any] = {"weights": weights} if card(request.param).weights else {}
    threads = torch.get_num_threads()
    # Two threads beside other work block one another: several times slower than one.
    torch.set_num_threads(1)
    yield create(request.param, "cpu", **options)
    torch.set_num_threads(threads)
