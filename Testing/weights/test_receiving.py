"""A download in a process of its own ends as one in this process does, and with its caller."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib.errors import Cancelled, OutputError, WeightsError
from MedSegFMLib.progress import no_progress
from MedSegFMLib.system.library_program import library_environment, program
from MedSegFMLib.weights import receiving
from MedSegFMLib.weights.receiving import ReceivingProcess
from Testing.attacks.downloads import CONTENT, serve


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_the_file_and_its_checksum_arrive_with_progress(tmp_path: Path, size: int | None) -> None:
    part, fractions = tmp_path / "ä.part", []
    with serve(("whole",)) as url:
        digest = ReceivingProcess()(url, part, size, lambda fraction, _: fractions.append(fraction))
    assert part.read_bytes() == CONTENT and digest == hashlib.sha256(CONTENT).hexdigest()
    assert fractions[-1] == 1


def test_errors_keep_their_class_and_sentence(tmp_path: Path) -> None:
    with serve(("web page",)) as url, pytest.raises(WeightsError, match="a web page instead"):
        ReceivingProcess()(url, tmp_path / "w.part", None, no_progress)
    (tmp_path / "folder").mkdir()
    with serve(("whole",)) as url, pytest.raises(OutputError, match="MEDSEGFM_WEIGHTS"):
        ReceivingProcess()(url, tmp_path / "folder", None, no_progress)
    with pytest.raises(WeightsError, match="is not an https address"):
        ReceivingProcess()("ftp://x/w", tmp_path / "w.part", None, no_progress)


def test_a_cancel_ends_the_process(tmp_path: Path) -> None:
    def cancel(fraction: float, phrase: str) -> None:
        raise Cancelled("stopped")

    receive = ReceivingProcess()
    with serve(("whole",)) as url, pytest.raises(Cancelled):
        receive(url, tmp_path / "w.part", None, cancel)
    assert receive._tree is not None and receive._tree.process.returncode is not None


@pytest.mark.parametrize("early", [True, False])
def test_a_killed_download_is_an_error_with_a_way_out(tmp_path: Path, early: bool) -> None:
    os.mkfifo(tmp_path / "never")
    receive, errors = ReceivingProcess(), []

    def work() -> None:
        try:
            receive((tmp_path / "never").as_uri(), tmp_path / "w.part", None, no_progress)
        except WeightsError as error:
            errors.append(str(error))

    if early:
        receive.kill()
    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: receive._tree is not None)
    receive.kill()
    thread.join(GENEROUS_SECONDS)
    assert "ended unexpectedly" in errors[0] and "try again to resume it" in errors[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('no such luck')", "(no such luck)"),
        ("print('{}'); print('[1]'); print('no event'); print('{\"fraction\": [], \"p\": 1}')", ""),
    ],
)
def test_a_process_that_fails_in_an_unforeseen_way_is_an_error_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    def other(*_: Any) -> list[str]:
        return [sys.executable, "-c", code]

    monkeypatch.setattr(receiving, "program", other)
    with pytest.raises(WeightsError, match="ended unexpectedly") as caught:
        ReceivingProcess()("https://x/w", tmp_path / "w.part", None, no_progress)
    assert words in str(caught.value)


def test_no_interpreter_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "program", lambda *_: [str(tmp_path / "none")])
    with pytest.raises(WeightsError, match="cannot be started"):
        ReceivingProcess()("https://x/w", tmp_path / "w.part", None, no_progress)


def test_the_process_ends_with_its_caller(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    words = [(tmp_path / "never").as_uri(), str(tmp_path / "w.part"), ""]
    process = subprocess.Popen(
        program(receiving.__name__, *words),
        env=dict(library_environment()),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(GENEROUS_SECONDS) == 0
