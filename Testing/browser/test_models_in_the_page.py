"""The section *Model* in a real browser: words, options, and weights that are downloaded."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from browser_page import CHROMIUM, WorkstationPage, chromium
from browser_server import ROOT, BrowserServer
from other_models import PUBLISHED
from words_model import two_balls

from MedSegFMLib.weights import store

if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
    pytest.skip(f"{CHROMIUM} is not installed", allow_module_level=True)

_PROGRAM = str(ROOT / "Testing" / "support" / "other_models.py")


class _Weights(http.server.BaseHTTPRequestHandler):
    """Sends half of a file, and the rest when it may."""

    content = b""
    may_go_on = threading.Event()
    begins: list[int] = []  # noqa: RUF012

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        self.begins.append(start)
        self.send_response(206 if asked else 200)
        size = len(self.content)
        self.send_header("Content-Length", str(size - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        half = max(start, size // 2)
        # The download may have been cancelled.
        with suppress(ConnectionError):
            self.wfile.write(self.content[start:half])
            self.may_go_on.wait()
            self.wfile.write(self.content[half:])

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def published() -> Iterator[str]:
    """The address of ENSAM's weights on a server that waits in the middle."""
    shipped = store.shipped("ensam")
    assert shipped is not None
    _Weights.content = shipped.read_bytes()
    _Weights.may_go_on.clear()
    _Weights.begins = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Weights)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/ensam.safetensors"
    _Weights.may_go_on.set()
    server.shutdown()
    server.server_close()


def test_words_are_typed_and_a_model_is_downloaded_and_set_up(
    start_server: Callable[..., BrowserServer], published: str, tmp_path: Path
) -> None:
    path = tmp_path / "balls.nrrd"
    two_balls().write(path)
    words = (str(path), "--model", "ellipsoid")
    server = start_server(*words, program=(_PROGRAM,), variables={PUBLISHED: published})
    with chromium() as context:
        page = WorkstationPage(context, server.link)
        keyboard = page.page.keyboard
        # The keyboard alone: the link to the prompts, the field, the words.
        keyboard.press("Tab")
        keyboard.press("Enter")
        page.wait(lambda: page.page.url.endswith("#promptSection"))
        while page.page.evaluate("document.activeElement.id") != "textEdit":
            keyboard.press("Tab")
        assert not page.locate("#boxButton").is_visible()
        keyboard.type("balls")
        keyboard.press("Enter")
        page.wait_idle(1)
        assert page.prompts == ["Text · balls"]
        page.wait_shown()
        page.wait(lambda: page.colored_share(0, (0.5, 0.5), 150) > 0.01)
        page.page.click("#resetButton")
        page.wait_idle(0)

        # Another model, whose weights are not here and have a licence to accept.
        page.page.select_option("#modelSelector", "ensam")
        page.wait(lambda: "not installed yet" in page.text("#modelFault"))
        assert page.locate("#boxButton").is_disabled()
        page.page.click("#downloadButton")
        assert "CC-BY-NC-SA-4.0" in page.text("#licenceQuestion")
        assert "creativecommons.org" in page.text("#licenceAddress")
        keyboard.press("Escape")
        page.wait(lambda: "licence was not accepted" in page.text("#statusLabel"))
        assert _Weights.begins == []

        def download() -> None:
            page.page.click("#downloadButton")
            page.page.get_by_role("button", name="Accept", exact=True).click()

        download()
        page.wait(lambda: "ownloading weights" in page.text("#statusLabel"))
        page.wait(lambda: float(page.locate("#progressBar").evaluate("bar => bar.value")) > 20)
        assert not page.locate("#downloadButton").is_visible()
        page.page.click("#cancelButton")
        page.wait(lambda: "was stopped" in page.text("#statusLabel"))
        _Weights.may_go_on.set()
        # An earlier answer does not count: Escape is a no.
        page.page.click("#downloadButton")
        keyboard.press("Escape")
        page.wait(lambda: "licence was not accepted" in page.text("#statusLabel"))
        download()
        page.wait(lambda: "downloaded and verified" in page.text("#statusLabel"))
        # It went on where it was stopped.
        assert _Weights.begins[0] == 0 < _Weights.begins[-1]
        page.wait(lambda: page.locate("#boxButton").is_enabled())
        assert page.text("#modelFault") == ""

        page.page.click("#optionsSection > summary")
        assert page.locate("#modelOptions label").all_inner_texts() == ["Refine borders"]
        page.page.select_option("#option-refine", "no")
        page.page.reload()
        page.wait_ready()
        page.wait(lambda: page.locate("#option-refine").input_value() == "no")
        page.page.click("#boxButton")
        page.drag(0, (0.2, 0.2), (0.55, 0.8))
        page.wait_idle(1)
        assert page.text("#statusLabel").startswith("Done.")
        assert page.faults == []
