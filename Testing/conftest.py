"""What all tests share: volumes in every orientation, and where real volumes lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib import Geometry, Volume

_REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_NO_REAL_DATA = "the folder of real volumes is not here"
_NO_GPU = "no CUDA device"

_CODES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def directions_of(codes: str) -> np.ndarray:
    """(3, 3): unit vectors of i, j, k as RAS columns, for codes such as "LPS"."""
    matrix = np.zeros((3, 3))
    for axis, code in enumerate(codes):
        world, sign = _CODES[code]
        matrix[world, axis] = sign
    return matrix


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """(3, 3): a turn about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([x_deg, y_deg, z_deg])):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


DIRECTIONS = {
    "RAS": directions_of("RAS"),
    "LAS": directions_of("LAS"),
    "LPS": directions_of("LPS"),
    "oblique": rotation(14, -9, 21) @ directions_of("LPS"),
    "oblique left-handed": rotation(-8, 31, 5) @ directions_of("PSR"),
}


@pytest.fixture(params=DIRECTIONS)
def directions(request: pytest.FixtureRequest) -> np.ndarray:
    """The i, j and k axes of each orientation that spatial tests run in."""
    return DIRECTIONS[request.param]


@pytest.fixture
def geometry(directions: np.ndarray) -> Geometry:
    """A small anisotropic grid away from the origin, in each orientation."""
    return Geometry.from_spacing((9, 14, 11), (0.7, 1.3, 3.1), directions, (12.5, -40.25, 7.75))


@pytest.fixture
def blob(geometry: Geometry) -> tuple[Volume, np.ndarray]:
    """A bright noisy ball in a volume of each orientation, and the mask of the ball."""
    return make_blob(geometry)


def make_blob(geometry: Geometry, seed: int = 0) -> tuple[Volume, np.ndarray]:
    """A ball of value 100 in 0 with noise 5, a third of the narrowest side wide, and its mask."""
    k, j, i = np.indices(geometry.shape_kji)
    centre = [(n - 1) / 2 for n in geometry.shape_kji]
    radius = [n / 3 for n in geometry.shape_kji]
    scaled = [(v - c) / r for v, c, r in zip((k, j, i), centre, radius, strict=True)]
    mask = sum(v**2 for v in scaled) <= 1
    noise = np.random.default_rng(seed).normal(0, 5, geometry.shape_kji)
    return Volume((100.0 * mask + noise).astype(np.float32), geometry), mask


@pytest.fixture
def real_data() -> Path:
    """The folder of real volumes; the test is skipped where it is absent."""
    if not _REAL_DATA.is_dir():
        pytest.skip(_NO_REAL_DATA)
    return _REAL_DATA


@pytest.fixture(autouse=True)
def _skip_without_gpu(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip(_NO_GPU)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """In CI a test may be skipped for want of real volumes or a GPU, and for nothing else."""
    report = (yield).get_result()
    if report.skipped and os.environ.get("CI") == "true":
        reason = str(report.longrepr)
        if _NO_REAL_DATA not in reason and _NO_GPU not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
