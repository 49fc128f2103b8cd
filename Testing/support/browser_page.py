"""A real browser on the workstation's page, driven as a user does: mouse, keys and files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from waiting import GENEROUS_SECONDS, wait_until

CHROMIUM = "/usr/bin/chromium"
# A busy machine is slow; playwright counts in milliseconds.
PATIENCE = GENEROUS_SECONDS * 1000
SLICES = (0, 1, 2)
Place = tuple[float, float]


@contextmanager
def chromium(**context: Any) -> Iterator[Any]:
    """A browser context of Debian's chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = browser.new_context(viewport={"width": 1280, "height": 720}, **context)
        made.set_default_timeout(PATIENCE)
        yield made
        browser.close()


class WorkstationPage:
    """One page of the workstation.

    faults: What its scripts have raised, which nothing may.
    """

    def __init__(self, context: Any, link: str) -> None:
        self.page = context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(link)
        self.wait_ready()

    def wait_ready(self) -> None:
        self.page.wait_for_selector("html[data-ready]", timeout=PATIENCE)

    def locate(self, selector: str) -> Any:
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        return str(self.page.text_content(selector) or "")

    @property
    def prompts(self) -> list[str]:
        return [str(text) for text in self.locate("#promptTable li .name").all_inner_texts()]

    def wait(self, condition: Any) -> None:
        wait_until(condition, describe=lambda: self.text("#statusLabel"), interval=0.05)

    def wait_idle(self, prompts: int) -> None:
        """Wait for the answer to so many prompts."""
        self.wait(lambda: len(self.prompts) == prompts)
        self.wait(lambda: not self.locate("#progressRow").is_visible())

    def wait_shown(self, views: Sequence[int] = SLICES) -> None:
        """Wait until the views show what does not change any more: the image without loss."""
        before: list[str | None] = []

        def is_still() -> bool:
            now = [
                self.locate(f'.view[data-view="{n}"]').get_attribute("data-image") for n in views
            ]
            same = None not in now and now == before
            before[:] = now
            if not same:
                self.page.wait_for_timeout(400)
            return same

        self.wait(is_still)

    def at(self, view: int, place: Place) -> Place:
        """A place of a view, from 0 to 1, in pixels of the page."""
        box = self.locate(f'.view[data-view="{view}"] .stage').bounding_box()
        return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]

    def drag(self, view: int, *places: Place) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(view, places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self.at(view, place), steps=4)
        mouse.up()

    def click(self, view: int, place: Place) -> None:
        self.page.mouse.click(*self.at(view, place))

    def pixels(self, view: int) -> NDArray[np.int16]:
        """(height, width, 3): the stage of a view as the user sees it."""
        from PIL import Image

        data = self.locate(f'.view[data-view="{view}"] .stage').screenshot()
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int16)

    def colored_share(self, view: int, place: Place, radius: int = 6) -> float:
        """The share of pixels around a place that are not grey."""
        pixels = self.pixels(view)
        x, y = round(place[0] * pixels.shape[1]), round(place[1] * pixels.shape[0])
        patch = pixels[y - radius : y + radius + 1, x - radius : x + radius + 1]
        return float(np.mean(np.ptp(patch, axis=-1) > 25))

    def download(self, selector: str, folder: Path) -> Path:
        with self.page.expect_download() as found:
            self.page.click(selector)
        path = folder / found.value.suggested_filename
        found.value.save_as(path)
        return path
