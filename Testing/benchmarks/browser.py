"""The page: from a drag to the mask on screen, scrolling, and memory of the server.

    PYTHONPATH=.:Testing/support python Testing/benchmarks/browser.py [--side 96] [--slices 300]

Each number is a median; the browser is Debian's chromium on the same computer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from browser_page import WorkstationPage, chromium
from browser_server import BrowserServer

from MedSegFMLib import Geometry, Volume

_REPEATS = 5
_SCROLLED = 60
_INSIDE = (0.45, 0.44)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=96, help="voxels along each axis for the box")
    parser.add_argument("--slices", type=int, default=300, help="slices of the 512 x 512 volume")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        small, large = home / "small.nrrd", home / "large.nrrd"
        _ball((arguments.side,) * 3).write(small)
        _ball((arguments.slices, 512, 512)).write(large)
        seconds, processor = zip(*_drag_to_mask(home, small), strict=True)
        frames = _frames(home, large)
        memory = _memory(home, large, arguments.slices * 512 * 512 * 2)
    print(f"image, 512 x 512           {_image_cpu_ms():.1f} ms of a core")
    print(f"drag to mask, {arguments.side}^3      {statistics.median(seconds):.2f} s")
    print(f"  of server and model      {statistics.median(processor):.2f} s of a core")
    print(f"scrolling, 512 x 512       {frames:.0f} frames/s")
    print(f"memory, of the volume's    {memory:.2f}")


def _ball(shape: tuple[int, int, int]) -> Volume:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 40, shape, dtype=np.int16)
    grids = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    array[sum(axis**2 for axis in grids) < 0.2] += 200
    return Volume(array, Geometry.from_spacing(shape, (1.0, 1.0, 1.0)))


def _drag_to_mask(home: Path, path: Path) -> list[tuple[float, float]]:
    """Seconds from the release of the mouse to coloured pixels in the view, all and of a core."""
    server = BrowserServer(home, str(path))
    seconds = []
    try:
        with chromium() as context:
            page = WorkstationPage(context, server.link)
            # The model is loaded once.
            for repeat in range(_REPEATS + 1):
                page.wait_shown()
                page.page.click("#boxButton")
                # Another box each time: the answer to the same would be remembered.
                page.drag(0, (0.3 - repeat / 100, 0.2), (0.7 + repeat / 100, 0.8))
                began, spent = time.perf_counter(), _processor_seconds(server)
                while page.colored_share(0, _INSIDE) < 0.9:
                    pass
                if repeat:
                    now = time.perf_counter(), _processor_seconds(server)
                    seconds.append((now[0] - began, now[1] - spent))
                page.wait_idle(1)
                page.page.click("#resetButton")
                page.wait_idle(0)
                # What was removed is shown for some seconds.
                page.wait(lambda: page.colored_share(0, _INSIDE) == 0)
    finally:
        server.close()
    return seconds


def _processor_seconds(server: BrowserServer) -> float:
    """The time that cores have spent on the server and its models, without the browser."""
    ticks = 0
    for process in (server.process.pid, *server.worker_ids()):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2]
        ticks += sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _frames(home: Path, path: Path) -> float:
    """Images of a slice view that the page drew a second while its slice changes all the time."""
    server = BrowserServer(home, str(path), "--model", "randomwalk")
    try:
        with chromium() as context:
            page = WorkstationPage(context, server.link)
            page.page.set_viewport_size({"width": 512 + 344, "height": 512 + 44 + 26})
            page.page.keyboard.press("2")
            page.wait_shown((0,))
            view = page.locate('.view[data-view="0"]')
            first = int(view.get_attribute("data-image"))
            view.focus()
            began = time.perf_counter()
            for _ in range(_SCROLLED):
                page.page.keyboard.press("PageUp")
            end = time.perf_counter() + 0.05
            while time.perf_counter() < end:
                pass
            return (int(view.get_attribute("data-image")) - first) / (time.perf_counter() - began)
    finally:
        server.close()


def _image_cpu_ms() -> float:
    """Processor time of the server for one image while slices change, whatever else runs."""
    from MedSegFMLib.browser.slicer_core import Views, application
    from MedSegFMLib.mrml.nodes.volume_nodes import add_volume_node

    app = application()
    view = Views(app, lambda _name: None).images["axial"]
    volume = _ball((_SCROLLED, 512, 512))
    node = add_volume_node(app.scene, volume, "ball", copied=False)
    app.display_manager.show_volume_in_slice_background(node)
    view.resize(512, 512)
    view.fit()
    view.update(1.0)
    began = time.process_time()
    for n in range(_SCROLLED):
        view.view.set_slice_value(float(n))
        view.has_changed = True
        view.update(1.0)
    return 1000 * (time.process_time() - began) / _SCROLLED


def _memory(home: Path, path: Path, volume_bytes: int) -> float:
    """Memory of the server with a volume beyond that without one, as a multiple of its voxels."""
    resident = []
    for words in ([], [str(path)]):
        server = BrowserServer(home, *words, "--model", "randomwalk")
        try:
            with chromium() as context:
                page = WorkstationPage(context, server.link)
                page.wait_shown()
                resident.append(_resident_bytes(server.process.pid))
        finally:
            server.close()
    return (resident[1] - resident[0]) / volume_bytes


def _resident_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    sys.exit(main())
