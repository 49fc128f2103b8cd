"""A small volume with a bright ball, and a server that shows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("trame_slicer") is None:
    if os.environ.get("CI") == "true":
        raise ImportError("trame-slicer is missing; pip install .[browser]")
    collect_ignore_glob = ["test_*.py"]
else:
    from browser_server import BrowserServer

    from MedSegFMLib import Geometry, Volume

SHAPE_KJI, CENTER_KJI, RADIUS = (40, 48, 48), (20, 24, 24), 11


@pytest.fixture(scope="session")
def ball_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A NIfTI file with a bright ball in its middle."""
    k, j, i = np.indices(SHAPE_KJI)
    distance = np.sqrt(
        (k - CENTER_KJI[0]) ** 2 + (j - CENTER_KJI[1]) ** 2 + (i - CENTER_KJI[2]) ** 2
    )
    noise = np.random.default_rng(0).normal(0, 12, SHAPE_KJI)
    array = (np.where(distance <= RADIUS, 200, 20) + noise).astype(np.int16)
    path = tmp_path_factory.mktemp("volumes") / "ball.nii.gz"
    Volume(array, Geometry.from_spacing(SHAPE_KJI, (1.0, 1.0, 1.0))).write(path)
    return path


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., BrowserServer]]:
    """Starts servers that share a home folder; all end with the test."""
    servers: list[BrowserServer] = []

    def start(*words: str, **options: Any) -> BrowserServer:
        servers.append(BrowserServer(tmp_path, *words, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
