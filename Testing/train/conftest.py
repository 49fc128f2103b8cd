"""Trainings small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings  # noqa: E402

TINY: dict[str, Any] = {
    "cells": 16,
    "scene_side": 24,
    "batch": 2,
    "clicks": 1,
    "graded": 1,
    "warmup": 2,
    "precision": "no",
    "device": "cpu",
    "threads": 1,
    "workers": 0,
    "cooldown": 0.0,
    "validation_objects": 1,
    "validate_samples": 1_000_000,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads beside other work block one another: several times slower than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., EnsamSettings]:
    """Settings for a run of a second in a folder of the test; changes and its name are given."""

    def settings(folder: str = "run", **changes: Any) -> EnsamSettings:
        return EnsamSettings(out=tmp_path / folder, **{**TINY, **changes})

    return settings


@pytest.fixture
def tiny_words() -> list[str]:
    """The same as typed, without out and budget."""
    return [f"{key}={value}" for key, value in TINY.items()]
