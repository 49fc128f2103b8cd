"""Real MRML without a desktop: one application for all tests, an empty scene for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

try:
    from slicer_application import application
except ImportError:
    if os.environ.get("CI") == "true":
        raise
    collect_ignore_glob = ["test_*.py", "comparison"]

    def pytest_terminal_summary(terminalreporter: Any) -> None:
        terminalreporter.write_line(
            "Testing/mrml was left out: slicer-core is not installed (pip install .[browser])"
        )

else:
    from scene_helpers import SessionClient, add_volume_node

    from MedSegFMLib import Box, Geometry, Volume
    from MedSegFMLib.mrml.logic import SegmentationLogic


@pytest.fixture
def slicer_app() -> Any:
    return application()


@pytest.fixture
def scene(slicer_app: Any) -> Iterator[Any]:
    slicer_app.scene.Clear(False)
    yield slicer_app.scene
    slicer_app.scene.Clear(False)


@pytest.fixture
def client() -> SessionClient:
    return SessionClient()


@pytest.fixture
def logic(slicer_app: Any, scene: Any, client: SessionClient) -> Iterator[SegmentationLogic]:
    made = SegmentationLogic(
        scene, lambda _host: client, slicer_app.app_logic, slicer_app.terminologies_logic
    )
    yield made
    made.close()


@pytest.fixture
def volume_node(scene: Any, blob: tuple[Volume, np.ndarray]) -> Any:
    """The ball of the blob fixture as a volume node, in each orientation."""
    return add_volume_node(scene, blob[0], "ball")


@pytest.fixture
def plain(scene: Any) -> Any:
    """A volume node along the axes whose voxels tell where they are: 100 k + 10 j + i."""
    k, j, i = np.indices((12, 14, 16))
    geometry = Geometry.from_spacing((12, 14, 16), (1.0, 2.0, 3.0))
    return add_volume_node(scene, Volume((100 * k + 10 * j + i).astype(np.int16), geometry))


@pytest.fixture
def ball_box(blob: tuple[Volume, np.ndarray]) -> Box:
    inside = np.argwhere(blob[1])[:, ::-1]
    return Box.from_ijk(blob[0].geometry, inside.min(axis=0), inside.max(axis=0) + 1)
