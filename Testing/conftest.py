"""What all tests share: volumes in every orientation, and where real volumes lie."""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import usual_signals
from sample_volumes import DIRECTIONS, make_blob

from MedSegFMLib import Geometry, Volume

# No test stores encoded regions in the user's folder; those that are about it have their own.
os.environ["MEDSEGFM_NO_CACHE"] = "1"

# Decoding what a program prints depends on it.
_LOCALE = locale.setlocale(locale.LC_ALL)
_REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_NO_REAL_DATA = "the folder of real volumes is not here"
_NO_GPU = "no CUDA device"


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


@pytest.fixture
def real_data() -> Path:
    """The folder of real volumes; the test is skipped where it is absent."""
    if not _REAL_DATA.is_dir():
        pytest.skip(_NO_REAL_DATA)
    return _REAL_DATA


@pytest.fixture(autouse=True, scope="session")
def _usual_signals() -> Iterator[None]:
    """Tests send Ctrl-C, also where the tests run in the background."""
    with usual_signals():
        yield


@pytest.fixture(autouse=True)
def _usual_locale() -> None:
    """Libraries set the locale of the whole process, which the next test shall not depend on."""
    locale.setlocale(locale.LC_ALL, _LOCALE)


@pytest.fixture(autouse=True)
def _skip_without_gpu(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip(_NO_GPU)


def _refuse_in_ci(report: Any) -> None:
    """In CI what is skipped for want of real volumes or a GPU alone has not failed."""
    if report.skipped and os.environ.get("CI") == "true":
        reason = str(report.longrepr)
        if _NO_REAL_DATA not in reason and _NO_GPU not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """No test is skipped in CI because a package is missing."""
    report = yield
    _refuse_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):  # type: ignore[no-untyped-def]
    """Nor is a whole file, which does so while it is imported."""
    report = yield
    _refuse_in_ci(report)
    return report
