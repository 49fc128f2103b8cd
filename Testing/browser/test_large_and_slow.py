"""A volume of 512 x 512 x 300 in the page, and the same page over a slow network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser_page import CHROMIUM, WorkstationPage, chromium
from browser_server import BrowserServer
from slow_network import slow_network

from MedSegFMLib import Geometry, Volume

if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

SHAPE_KJI = (300, 512, 512)
# 2 Mbit/s: a mobile network, or the line of a small hospital.
BYTES_A_SECOND = 250_000
# As many slices as keys are pressed.
SCROLLED = 40
INSIDE = (0.45, 0.44)


def _write_ball(path: Path) -> int:
    """Write a bright ball in noise that repeats; returns the bytes of its voxels."""
    noise = np.random.default_rng(0).integers(0, 40, (20, 512, 512), dtype=np.int16)
    array = np.tile(noise, (SHAPE_KJI[0] // 20, 1, 1))
    k, j, i = np.ogrid[-40:40, -40:40, -40:40]
    array[110:190, 216:296, 216:296][k * k + j * j + i * i < 38**2] += 200
    Volume(array, Geometry.from_spacing(SHAPE_KJI, (0.7, 0.7, 1.0))).write(path)
    return array.nbytes


def _resident_bytes(server: BrowserServer) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def _slice(page: WorkstationPage) -> int:
    return int(page.text('.view[data-view="0"] output').split(" / ")[0])


def _scroll(page: WorkstationPage) -> int:
    """Press Page Up again and again; returns the number of images that were shown meanwhile."""
    view = page.locate('.view[data-view="0"]')
    first, began = _slice(page), int(view.get_attribute("data-image"))
    view.focus()
    for _ in range(SCROLLED):
        page.page.keyboard.press("PageUp")
    page.wait(lambda: _slice(page) == first + SCROLLED)
    page.wait_shown((0,))
    return int(view.get_attribute("data-image")) - began


def test_a_large_volume_is_sent_scrolled_and_segmented_also_over_a_slow_network(
    start_server: Callable[..., BrowserServer], tmp_path: Path
) -> None:
    path = tmp_path / "large.nrrd"
    voxel_bytes = _write_ball(path)
    with slow_network(BYTES_A_SECOND) as network, chromium() as context:
        address = f"http://127.0.0.1:{network.port}"
        server = start_server("--model", "randomwalk", "--address", address)
        network.target = server.port
        page = WorkstationPage(context, server.link.replace(str(network.port), str(server.port)))
        before = _resident_bytes(server)
        page.locate("#files").set_input_files(str(path))
        page.wait(lambda: page.text("#barVolume") == "large")
        page.wait_shown()
        _scroll(page)
        page.page.click("#boxButton")
        page.drag(0, (0.4, 0.4), (0.6, 0.6))
        page.wait_idle(1)
        page.wait(lambda: page.colored_share(0, INSIDE) > 0.9)
        assert _resident_bytes(server) - before < 3 * voxel_bytes
        page.page.close()

        slow = WorkstationPage(context, server.link)
        slow.wait_shown()
        assert slow.colored_share(0, INSIDE) > 0.9
        # Images that the network has no room for are not made; the last one arrives all the same.
        assert _scroll(slow) <= SCROLLED
        # A click is where the user saw it.
        slow.page.keyboard.press("Shift+A")
        slow.click(0, INSIDE)
        slow.wait_idle(2)
        assert page.faults == [] and slow.faults == []
