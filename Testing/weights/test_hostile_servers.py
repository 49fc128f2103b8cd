"""A download from a hostile server ends in time with a named error and keeps what is valid."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from MedSegFMLib.errors import WeightsError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.weights import transfer
from MedSegFMLib.weights.connection import opener
from Testing.attacks.downloads import ANSWERS, CONTENT, Payload, escape, serve


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("have", [0, 1000])
@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_ends_in_time(kind: str, have: int, tmp_path: Path) -> None:
    assert escape(Payload((kind,), True, have), tmp_path) is None


@pytest.mark.parametrize("kind", ["endless", "longer than stated", "drips its body", "whole"])
def test_unknown_size_is_bounded(kind: str, tmp_path: Path) -> None:
    assert escape(Payload((kind,), False, 0), tmp_path) is None


def test_other_range_is_asked_for_anew_once(tmp_path: Path) -> None:
    part = tmp_path / "w.part"
    part.write_bytes(CONTENT[:500])
    with serve(("another range", "whole")) as url:
        transfer.receive(url, part, len(CONTENT), no_progress)
    assert part.read_bytes() == CONTENT
    part.write_bytes(CONTENT[:500])
    with (
        serve(("another range",)) as url,
        pytest.raises(WeightsError, match="another part of the file"),
    ):
        transfer.receive(url, part, len(CONTENT), no_progress)
    assert part.read_bytes() == CONTENT[:500]


def test_download_that_broke_off_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    part = tmp_path / "w.part"
    with serve(("cut", "cut", "whole")) as url:
        for received in (5000, 10_000):
            with pytest.raises(WeightsError, match="broke off"):
                transfer.receive(url, part, len(CONTENT), no_progress)
            assert part.read_bytes() == CONTENT[:received]
        transfer.receive(url, part, len(CONTENT), no_progress)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["drips its head", "drips its body", "drips a chunk", "continues"])
def test_slow_server_is_named_as_such(kind: str, tmp_path: Path) -> None:
    with (
        mock.patch.object(transfer, "_SLOW_SECONDS", 0.5),
        serve((kind,)) as url,
        pytest.raises(WeightsError, match="sends too slowly"),
    ):
        transfer.receive(url, tmp_path / "w.part", len(CONTENT), no_progress)


def test_part_that_is_too_long_does_not_stay(tmp_path: Path) -> None:
    part = tmp_path / "w.part"
    part.write_bytes(CONTENT + b"x")
    with serve(("no http",)) as url, pytest.raises(WeightsError):
        transfer.receive(url, part, len(CONTENT), no_progress)
    assert not part.exists()


def test_web_page_is_not_kept(tmp_path: Path) -> None:
    part = tmp_path / "w.part"
    with serve(("web page",)) as url, pytest.raises(WeightsError, match="web page"):
        transfer.receive(url, part, None, no_progress)
    assert not part.exists()


def test_redirect_from_https_to_this_computer_is_refused() -> None:
    import urllib.request

    class Never:
        def watch(self, _: object) -> None: ...

    redirects = next(
        handler
        for handler in opener(Never()).handlers  # type: ignore[arg-type]
        if isinstance(handler, urllib.request.HTTPRedirectHandler)
    )
    request = urllib.request.Request("https://example.org/w")
    with pytest.raises(WeightsError, match="not an https address"):
        redirects.redirect_request(request, None, 302, "", {}, "http://127.0.0.1/secret")
