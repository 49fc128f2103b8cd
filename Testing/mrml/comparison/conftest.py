"""A work with one box, and a comparison of models for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from model_comparisons import ModelsClient

from MedSegFMLib import Box
from MedSegFMLib.mrml.comparison.comparison import ModelComparison
from MedSegFMLib.mrml.logic import SegmentationLogic


@pytest.fixture
def client() -> ModelsClient:
    return ModelsClient()


@pytest.fixture
def comparison(logic: SegmentationLogic) -> Iterator[ModelComparison]:
    made = ModelComparison(logic)
    yield made
    made.shut_down()


@pytest.fixture
def boxed_logic(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    """A box of 125 voxels around "liver", answered."""
    logic.set_volume(plain)
    logic.objects.add("liver")
    logic.add(Box.from_ijk(logic.volume.geometry, (3, 3, 3), (8, 8, 8)))
    logic.pump()
    return logic
