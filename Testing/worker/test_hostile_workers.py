"""Workers that write what no worker writes, or nothing: each request ends, and nothing raises."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_connection import FakeConnection, NoLauncher
from processes import is_alive
from waiting import wait_until
from worker_helpers import FakeLauncher, ask, final_of, kinds, one_box, pump, small_volume

from MedSegFMLib.errors import WorkerError
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.worker import client as client_module
from MedSegFMLib.worker import server
from MedSegFMLib.worker.client import (
    Failed,
    LocalLauncher,
    Predicted,
    Request,
    Restarted,
    WorkerClient,
)
from MedSegFMLib.worker.events import Answer, Progressed, Stopped
from MedSegFMLib.worker.frames import MAGIC, Frame, read_frame
from MedSegFMLib.worker.messages import check_options, parse_event, parse_request
from Testing.attacks import worker_frames


class Site:
    """A client, the fake connections that it opened, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.connections: list[FakeConnection] = []
        self.client = WorkerClient(NoLauncher(), connect=self._connect)  # type: ignore[arg-type]

    @property
    def worker(self) -> FakeConnection:
        return self.connections[-1]

    def _connect(self, _launcher: object) -> Any:
        self.connections.append(FakeConnection(lambda: self.now))
        return self.worker


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site()
    monkeypatch.setattr(client_module, "time", SimpleNamespace(monotonic=lambda: made.now))
    yield made
    made.client.close()


@pytest.fixture
def number(site: Site) -> int:
    """A request that a running worker has."""
    site.client.set_volume(small_volume())
    site.worker.start()
    site.client.poll()
    return site.client.request(Request("ellipsoid", one_box(small_volume())))


def framed(header: str, body: bytes = b"") -> bytes:
    text = header.encode()
    return struct.pack("<4sIQ", MAGIC, len(text), len(body)) + text + body


def noted(data: str, arrays: str = "[]") -> bytes:
    return framed(f'{{"kind": "noted", "data": {data}, "arrays": {arrays}}}')


@pytest.mark.parametrize(
    "octets",
    [
        noted("{}", json.dumps([["a", "|u1", [1] * 65]])) + b"1",
        noted("{}", json.dumps([["a", "|u1", [0] * 65]])),
        noted("{}", json.dumps([["a", "|u1", [0, (1 << 40) - 1, (1 << 40) - 1]]])),
        noted("{}", json.dumps([["a", "|u1", [0]], ["a", "|u1", [0]]])),
        noted("{}", '[["a", "|u1", {}]]'),
        noted('{"number": 1e999}'),
        noted('{"number": NaN}'),
        noted('{"number": -Infinity}'),
        framed('{"kind": "a kind", "data": {}, "arrays": []}'),
    ],
)
def test_a_header_that_cannot_be_right_is_a_named_error(octets: bytes) -> None:
    with pytest.raises(WorkerError, match="header of a frame is damaged"):
        read_frame(io.BytesIO(octets))


@pytest.mark.parametrize(
    "frame",
    [
        Frame("progress", {"number": 1, "fraction": 10**400, "phrase": ""}),
        Frame(
            "predicted",
            {"number": 1, "extents_kji": [1], "consistency": {}, "lower_bounds": {}, "seen_kji": {},
             "questions": {}, "cost": None},
        ),
        Frame("opened", {"number": 1, "model": "m", "prompts": ["x"], "classes": []}),
        Frame("opened", {"number": 1, "model": "m", "prompts": "box", "classes": []}),
        Frame("noted", {"number": 1, "sentence": {"a": "b"}}),
        Frame(
            "predicted",
            {"number": 1, "extents_kji": {}, "consistency": {}, "lower_bounds": {}, "seen_kji": {},
             "questions": {}, "cost": dict.fromkeys(
                ("seconds", "loading_seconds", "peak_bytes", "on_gpu"), "x")},
        ),
    ],
)  # fmt: skip
def test_values_that_no_worker_sends_are_named_errors(frame: Frame) -> None:
    with pytest.raises(WorkerError):
        parse_event(frame, 0)


def test_progress_stays_between_nothing_and_all_and_text_can_be_written() -> None:
    data = {"number": 1, "fraction": 7.5, "phrase": "\ud800"}
    event = parse_event(Frame("progress", data), 0)
    assert isinstance(event, Progressed) and event.fraction == 1 and event.phrase.encode() == b"?"


def test_prompts_that_a_worker_cannot_take_are_a_named_error() -> None:
    data = {"number": 1, "volume": 1, "model": "m", "prompts": "{}", "device": "cpu"}
    with pytest.raises(WorkerError):
        parse_request(Frame("request", data | {"options": {}, "consistency": 0, "clear_cache": 0}))


def test_options_that_are_too_deep_are_a_named_error() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(WorkerError, match="cannot be sent"):
        check_options(Request("m", PromptList(), options={"deep": deep}))
    while deep:
        deep = deep.pop()  # type: ignore[assignment]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {1: Answer((-3, 0, 0), np.ones((2, 2, 2), np.uint8))},
        {1: Answer((7, 9, 11), np.ones((2, 2, 2), np.uint8))},
        {1: Answer((0, 0, 0), np.ones((1, 1, 1), np.uint8))}
        | {2: Answer((0, 0, 0), np.ones((1, 1, 1), np.uint8))},
    ],
)
def test_answers_for_other_objects_or_outside_the_volume_end_the_worker(
    site: Site, number: int, answers: dict[int, Answer]
) -> None:
    site.worker.tell(Predicted(number, answers))
    assert kinds(site.client.poll()) == ["Restarted"]
    site.worker.start()
    site.worker.tell(Predicted(number, answers))
    (_, failed) = site.client.poll()
    assert isinstance(failed, Failed) and failed.number == number
    assert "install the same version" in str(failed.error)


def test_a_worker_that_answers_others_before_it_dies_ends_the_request_too(
    site: Site, number: int
) -> None:
    events = []
    for _ in range(3):
        site.worker.tell(Stopped(number))
        site.worker.tell(Stopped(0))
        site.worker.kill()
        events += site.client.poll()
        if not site.client.busy:
            break
        site.worker.start()
        site.client.poll()
    assert kinds(events) == ["Restarted", "Failed"]


def test_a_worker_that_never_reaches_the_volume_ends(site: Site, number: int) -> None:
    for _ in range(2):
        site.worker.tell(Frame("volume_unreachable", {"number": 1}))
    assert kinds(site.client.poll()) == ["Restarted"]


def test_a_worker_that_starts_twice_ends(site: Site, number: int) -> None:
    site.worker.start()
    assert kinds(site.client.poll()) == ["Restarted"]


def test_a_flood_of_frames_does_not_keep_the_thread_that_polls(site: Site, number: int) -> None:
    for _ in range(2000):
        site.worker.tell(Progressed(number, 0.5, "", 0))
    assert len(site.client.poll()) < 1000 and site.client.poll()


def test_a_worker_that_hangs_is_restarted_once_and_then_the_request_fails(
    site: Site, number: int
) -> None:
    for _ in range(20):
        site.now += 60
        site.worker.tell(Frame("alive"))
        assert site.client.poll() == []
    first = site.worker
    site.now += 121
    assert site.client.poll() == [Restarted("", hung=True)] and first.killed
    site.worker.start()
    site.client.poll()
    site.now += 121
    (failed,) = site.client.poll()
    assert isinstance(failed, Failed) and failed.number == number
    assert "has sent nothing for 120 seconds; " in str(failed.error)


def test_a_worker_that_is_silent_without_a_request_or_starts_slowly_goes_on(site: Site) -> None:
    site.client.set_volume(small_volume())
    number = site.client.request(Request("ellipsoid", one_box(small_volume())))
    site.now += 250
    assert kinds(site.client.poll()) == ["Progressed"]
    site.worker.start()
    site.client.poll()
    while site.worker.work():
        pass
    site.client.poll()
    assert not site.client.busy
    site.now += 10_000
    assert site.client.poll() == []
    site.now += 1
    assert site.client.request(Request("ellipsoid", one_box(small_volume()))) == number + 1
    assert site.client.poll() == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_that_is_held_is_noticed_and_its_request_is_answered(tmp_path: Path) -> None:
    client = WorkerClient(FakeLauncher(), silence_seconds=2)
    try:
        client.set_volume(small_volume())
        number = ask(client, "loops", until=str(tmp_path / "goes on"))
        pump(client, lambda events: "Opened" in kinds(events))
        held = client.pid
        os.kill(held or 0, signal.SIGSTOP)
        (tmp_path / "goes on").touch()
        events = final_of(client, number)
        assert Restarted in map(type, events) and isinstance(events[-1], Predicted)
        wait_until(lambda: not is_alive(held or 0))
    finally:
        client.close()


def test_a_worker_that_only_predicts_shows_that_it_is_alive(tmp_path: Path) -> None:
    """With a short interval, as a child process has it: the model itself reports nothing."""
    code = (
        "import runpy, sys; from MedSegFMLib.worker import server; server._ALIVE_SECONDS = 0.2; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )

    class Launcher(FakeLauncher):
        def arguments(self) -> list[str]:
            return [sys.executable, "-c", code, *super().arguments()[1:]]

    client = WorkerClient(Launcher(), silence_seconds=3)
    try:
        client.set_volume(small_volume())
        events = final_of(client, ask(client, "sleeps", seconds=6))
        assert "Restarted" not in kinds(events) and isinstance(events[-1], Predicted)
    finally:
        client.close()
    assert server._ALIVE_SECONDS * 10 < client_module._SILENCE_SECONDS


@pytest.mark.parametrize(
    "octets",
    [
        noted("{}", json.dumps([["a", "|u1", [1] * 65]])) + b"1",
        framed('{"kind": "request", "data": {"number": 1e999}, "arrays": []}'),
        framed(
            '{"kind": "request", "data": {"number": 1, "volume": 1, "model": "m", "prompts": "{}", '
            '"device": "", "options": {}, "consistency": 0, "clear_cache": 0}, "arrays": []}'
        ),
        framed('{"kind": "surprise", "data": {}, "arrays": []}'),
        framed('{"kind": "volume", "data": {"number": 1}, "arrays": []}')
        + framed('{"kind": "cancel", "data": {}, "arrays": []}'),
    ],
)
def test_a_worker_with_hostile_input_ends_with_it(octets: bytes) -> None:
    launcher = LocalLauncher()
    process = subprocess.Popen(
        launcher.arguments(),
        env=dict(launcher.environment()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr, "all three are pipes"
    process.stdin.write(octets)
    process.stdin.flush()
    # Its input stays open: a worker that reads no more must not wait for its end.
    process.wait(120)
    log = process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    assert process.returncode == 3 and b"damaged" in log, log


def test_no_sample_of_hostile_frames_gets_through(tmp_path: Path) -> None:
    for payload in islice(worker_frames.inputs(random.Random(0)), 2000):
        assert worker_frames.escape(payload, tmp_path) is None
