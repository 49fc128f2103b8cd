"""Random SAM3D decoders and bases, and a volume wider and deeper than a patch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sam3d_checkpoints import write_decoder
from sam_checkpoints import tiny_is_published, write_checkpoint

from MedSegFMLib import Geometry, Volume


@pytest.fixture(autouse=True)
def tiny_base(one_thread: None) -> Iterator[None]:
    """The published SAM is a tiny one."""
    with tiny_is_published():
        yield


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "sam.pth")


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    return write_decoder(tmp_path / "sam3d.safetensors")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setenv("MEDSEGFM_NO_CACHE", "")
    return tmp_path / "store"


@pytest.fixture
def volume() -> Volume:
    """Wider than a patch, and deeper."""
    array = np.random.default_rng(0).normal(40, 9, (7, 41, 56)).astype(np.float32)
    return Volume(array, Geometry.from_spacing(array.shape, (0.8, 0.8, 3)))
