"""The pictures of Docs/browser.md: the page on a real CT, drawn with the mouse.

PYTHONPATH=.:Testing/support python Testing/support/browser_pictures.py Resources/Screenshots
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from browser_page import WorkstationPage, chromium
from browser_server import BrowserServer
from host.picture_subjects import Subject, abdomen

from MedSegFMLib import Volume

# Those that are about as deep as they are wide, as boxes that are drawn in one view.
_SHOWN = ("cyst", "gallbladder")

_SIZE, _COLORS = (1280, 720), 160


class AxialView:
    """Where voxels are in the axial view, after *Fit*: the volume fills it and keeps its shape."""

    def __init__(self, page: WorkstationPage, volume: Volume) -> None:
        box = page.locate('.view[data-view="0"] .stage').bounding_box()
        self._size = np.array([box["width"], box["height"]])
        geometry = volume.geometry
        self._count = np.array(geometry.shape_kji[::-1])
        self._spacing = np.array(geometry.spacing_ijk_mm)
        # Columns go from the patient's right to left on screen, rows from front to back.
        self._signs = np.array([1 if geometry.axis_codes[n] in "LP" else -1 for n in range(2)])
        self._mm_per_pixel = (self._count[:2] * self._spacing[:2] / self._size).max()

    def place(self, voxel_ijk: tuple[int, int, int]) -> tuple[float, float]:
        """A voxel's place from 0 to 1."""
        middle = (self._count[:2] - 1) / 2
        mm = (np.array(voxel_ijk[:2]) - middle) * self._spacing[:2] * self._signs
        x, y = (mm / self._mm_per_pixel + self._size / 2) / self._size
        return float(x), float(y)


def main(folder: Path) -> None:
    """Write the pictures."""
    subject = abdomen()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"{subject.name}.nrrd"
        subject.image.write(path)
        server = BrowserServer(Path(temporary), str(path))
        try:
            with chromium() as context:
                _draw(WorkstationPage(context, server.link), subject, folder)
        finally:
            server.close()


def _draw(page: WorkstationPage, subject: Subject, folder: Path) -> None:
    page.wait_shown()
    page.page.click("#levelRow > summary")
    for name, value in zip(("width", "level"), subject.window_level, strict=True):
        page.page.fill(f"#{name}", str(value))
        page.page.press(f"#{name}", "Tab")
    page.page.click("#levelRow > summary")
    view = AxialView(page, subject.image)
    shown = [name for name in _SHOWN if name in subject.boxes] or list(subject.boxes)[:2]
    for n, name in enumerate(shown):
        corners = subject.boxes[name]
        middle = [(first + last) // 2 for first, last in zip(*corners, strict=True)]
        if n:
            page.page.keyboard.press("Shift+N")
        for axis in (2, 1, 0):
            _go_to_slice(page, subject.image, axis, middle[axis])
        page.page.click("#boxButton")
        page.drag(0, view.place(corners[0]), view.place(corners[1]))
        page.wait_idle(n + 1)
        row = page.locate("#segmentList li").nth(n)
        row.get_by_role("button", name="Rename").click()
        row.locator("input").fill(name)
        row.locator("input").press("Enter")
        page.wait(lambda name=name: name in page.text("#segmentList"))
    _photograph(page, folder / "browser-segmented.png")
    page.page.emulate_media(color_scheme="dark")
    page.page.click("#compareSection > summary")
    page.page.click("#compareButton")
    page.wait(lambda: page.locate("#compareTable tr").count() == 3)
    page.wait(lambda: not page.locate("#compareCancelButton").is_visible())
    page.locate("#consensusButton").scroll_into_view_if_needed()
    _photograph(page, folder / "browser-compare.png")


def _go_to_slice(page: WorkstationPage, volume: Volume, axis: int, index: int) -> None:
    """Bring the view across an axis (i, j, k) to a slice, by its slider."""
    view = 2 - axis
    upwards = volume.geometry.axis_codes[axis] in "RAS"
    wanted = index if upwards else volume.geometry.shape_kji[view] - 1 - index
    page.locate(f'.view[data-view="{view}"] input').fill(str(wanted))
    output = f'.view[data-view="{view}"] output'
    page.wait(lambda: page.text(output).startswith(f"{wanted + 1} "))
    page.wait_shown()


def _photograph(page: WorkstationPage, path: Path) -> None:
    """Save the page smaller and in few colours, so that the repository stays small."""
    from PIL import Image

    page.page.wait_for_timeout(4000)
    page.wait_shown((0, 1, 2, 3))
    page.page.screenshot(path=path)
    small = Image.open(path).convert("RGB").resize(_SIZE, Image.Resampling.LANCZOS)
    small.quantize(_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
