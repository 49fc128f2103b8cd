"""Workers that hang, die or garble, and clients that die: nothing is lost, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from processes import is_alive
from waiting import wait_until
from worker_helpers import (
    FakeLauncher,
    ask,
    final_of,
    has_phrase,
    kinds,
    mask_of,
    pump,
    small_volume,
    steps,
)

from MedSegFMLib import Volume
from MedSegFMLib.errors import WorkerError
from MedSegFMLib.worker import volume_sender
from MedSegFMLib.worker.client import (
    Failed,
    LocalLauncher,
    Predicted,
    Restarted,
    Started,
    Stopped,
    WorkerClient,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def client() -> Iterator[WorkerClient]:
    client = WorkerClient(FakeLauncher())
    client.set_volume(small_volume())
    yield client
    client.close()


@pytest.fixture
def expected(client: WorkerClient) -> np.ndarray:
    """The answer of a worker to which nothing happens."""
    return mask_of(final_of(client, ask(client, "behaves"))[-1], small_volume())


def kill(client: WorkerClient) -> None:
    wait_until(lambda: client.pid is not None)
    os.kill(client.pid or 0, signal.SIGKILL)


def pump_until_it_hangs(client: WorkerClient, model: str) -> None:
    """Poll until nothing more comes of a model that hangs while it loads or when it is open."""
    loads = has_phrase("Loading the model")
    pump(client, loads if model == "loads_slowly" else lambda events: "Opened" in kinds(events))
    time.sleep(0.1)


def restarts(events: list[object]) -> list[Restarted]:
    return [event for event in events if isinstance(event, Restarted)]


def test_a_model_that_tells_its_progress_stops_and_its_worker_goes_on() -> None:
    # Benchmarks measure how soon; nobody ends this worker where the machine is busy.
    client = WorkerClient(FakeLauncher(patience_seconds=3600))
    try:
        client.set_volume(small_volume())
        first = ask(client, "loops")
        pump(client, has_phrase("going round"))
        pid = client.pid
        client.cancel()
        assert kinds(final_of(client, first)) == ["Stopped"]
        assert isinstance(final_of(client, ask(client, "behaves"))[-1], Predicted)
        assert client.pid == pid
    finally:
        client.close()


@pytest.mark.parametrize("model", ["sleeps", "loads_slowly"])
def test_a_model_that_never_tells_its_progress_is_ended_and_the_next_request_works(
    client: WorkerClient, model: str, expected: np.ndarray
) -> None:
    first = ask(client, model)
    pump_until_it_hangs(client, model)
    pid = client.pid
    client.cancel()
    events = pump(client, lambda events: "Restarted" in kinds(events))
    assert [e for e in events if isinstance(e, Stopped)] == [Stopped(first)]
    assert kinds(events) == ["Stopped", "Restarted"] and restarts(events)[0].after_cancel
    last = final_of(client, ask(client, "behaves"))[-1]
    assert np.array_equal(mask_of(last, small_volume()), expected)
    assert pid is not None
    wait_until(lambda: not is_alive(pid))


def test_a_request_made_after_a_cancel_that_is_not_heeded_is_answered(
    client: WorkerClient,
) -> None:
    first = ask(client, "sleeps")
    pump_until_it_hangs(client, "sleeps")
    client.cancel()
    second = ask(client, "behaves")
    events = final_of(client, second)
    assert Stopped(first) in events and isinstance(events[-1], Predicted)


def test_another_volume_and_request_after_a_cancel_are_not_cancelled(client: WorkerClient) -> None:
    for model in ("loops", "sleeps"):
        client.set_volume(small_volume())
        first = ask(client, model)
        pump(client, has_phrase("Loading the model"))
        client.cancel()
        client.set_volume(small_volume(5))
        second = ask(client, "behaves")
        events = final_of(client, second)
        assert Stopped(first) in events and isinstance(events[-1], Predicted)


def test_far_away_the_user_hears_of_the_stop_before_the_worker_is_ended(tmp_path: Path) -> None:
    client, wakes = WorkerClient(FakeLauncher(patience_seconds=3600)), tmp_path / "wakes"
    try:
        client.set_volume(small_volume())
        first = ask(client, "sleeps", until=str(wakes))
        pump_until_it_hangs(client, "sleeps")
        pid = client.pid
        client.cancel()
        assert kinds(final_of(client, first)) == ["Stopped"]
        wakes.touch()
        last = final_of(client, ask(client, "behaves"))[-1]
        assert isinstance(last, Predicted) and client.pid == pid
    finally:
        client.close()


def test_a_cancel_while_the_worker_starts_takes_the_request_away_at_once() -> None:
    client = WorkerClient(FakeLauncher())
    try:
        client.set_volume(small_volume())
        number = ask(client, "loops")
        client.cancel()
        assert client.poll()[-1] == Stopped(number)
        assert isinstance(final_of(client, ask(client, "behaves"))[-1], Predicted)
    finally:
        client.close()


def test_what_a_model_starts_ends_with_it(client: WorkerClient, tmp_path: Path) -> None:
    ask(client, "starts_a_child", child=str(tmp_path / "pid"))
    pump(client, has_phrase("going round"))
    child = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert is_alive(child)
    kill(client)
    wait_until(lambda: not is_alive(child))


def test_killed_while_starting_the_request_is_answered_by_the_next_worker(
    expected: np.ndarray,
) -> None:
    client = WorkerClient(FakeLauncher())
    try:
        client.set_volume(small_volume())
        number = ask(client, "behaves")
        kill(client)
        events = final_of(client, number)
        assert "Restarted" in kinds(events)
        assert np.array_equal(mask_of(events[-1], small_volume()), expected)
    finally:
        client.close()


@pytest.mark.parametrize("shares_memory", [True, False])
def test_killed_while_receiving_the_volume_nothing_is_lost(
    expected: np.ndarray, shares_memory: bool
) -> None:
    client = WorkerClient(FakeLauncher(shares_memory=shares_memory))
    try:
        client.start()
        pump(client, lambda events: "Started" in kinds(events))
        volume = small_volume()
        # Large enough to be still on its way.
        large = np.zeros((160, 512, 512), np.int16)
        client.set_volume(Volume(large, volume.geometry.pad((0, 0, 0), (152, 502, 500))))
        os.kill(client.pid or 0, signal.SIGKILL)
        client.set_volume(volume)
        number = ask(client, "behaves")
        events = final_of(client, number)
        assert np.array_equal(mask_of(events[-1], volume), expected)
    finally:
        client.close()


@pytest.mark.parametrize("fault", ["no room to share", "not reachable"])
def test_a_volume_that_cannot_be_shared_is_sent_whole(
    client: WorkerClient, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    class Copy:
        def __init__(self, array: np.ndarray) -> None:
            if fault == "no room to share":
                raise OSError("No space left on device")
            self.address = {"way": "file", "path": "/no/such/file", "bytes": array.nbytes}

    monkeypatch.setattr(volume_sender, "SharedCopy", Copy)
    client.set_volume(small_volume(1))
    client.set_volume(small_volume())
    last = final_of(client, ask(client, "behaves"))[-1]
    assert np.array_equal(mask_of(last, small_volume()), expected)


def test_killed_while_loading_the_model_it_is_loaded_again(
    client: WorkerClient, expected: np.ndarray, tmp_path: Path
) -> None:
    events = final_of(client, ask(client, "dies_loading", once=str(tmp_path / "died")))
    assert len(restarts(events)) == 1
    assert np.array_equal(mask_of(events[-1], small_volume()), expected)


def test_killed_while_predicting_the_request_is_made_again(
    client: WorkerClient, expected: np.ndarray, tmp_path: Path
) -> None:
    number = ask(client, "loops", until=str(tmp_path / "killed"))
    pump(client, has_phrase("going round"))
    kill(client)
    (tmp_path / "killed").touch()
    events = final_of(client, number)
    assert steps(events)[-4:] == ["Restarted", "Started", "Opened", "Predicted"]
    assert np.array_equal(mask_of(events[-1], small_volume()), expected)


def test_killed_while_idle_another_worker_stands_ready(
    client: WorkerClient, expected: np.ndarray
) -> None:
    kill(client)
    pump(client, lambda events: "Restarted" in kinds(events) and "Started" in kinds(events))
    last = final_of(client, ask(client, "behaves"))[-1]
    assert np.array_equal(mask_of(last, small_volume()), expected)


def test_a_request_that_ends_two_workers_fails_with_how_they_ended(client: WorkerClient) -> None:
    number = ask(client, "dies")
    events = final_of(client, number)
    failed = events[-1]
    assert len(restarts(events)) == 1
    assert isinstance(failed, Failed) and type(failed.error) is WorkerError
    assert "was killed (SIGKILL)" in str(failed.error)
    assert isinstance(final_of(client, ask(client, "behaves"))[-1], Predicted)


def test_an_error_of_the_program_comes_with_the_workers_last_words(client: WorkerClient) -> None:
    failed = final_of(client, ask(client, "raises"))[-1]
    assert isinstance(failed, Failed) and type(failed.error) is WorkerError
    assert "ended with status 1: ZeroDivisionError: the model has a bug;" in str(failed.error)
    assert "Traceback" in failed.last_words


def test_garbage_in_the_stream_is_an_error_with_the_workers_last_words(
    client: WorkerClient, tmp_path: Path
) -> None:
    events = final_of(client, ask(client, "garbles", once=str(tmp_path / "garbled")))
    assert "the stream is about to break" in restarts(events)[0].last_words
    assert isinstance(events[-1], Predicted)
    failed = final_of(client, ask(client, "garbles"))[-1]
    assert isinstance(failed, Failed) and "nothing else writes into the stream" in str(failed.error)
    assert "the stream is about to break" in failed.last_words


def test_a_worker_that_cannot_start_fails_once_and_the_next_request_tries_again() -> None:
    launcher = FakeLauncher(extra={"FAKE_WORKER_DIES_STARTING": "yes"})
    client = WorkerClient(launcher)
    try:
        client.set_volume(small_volume())
        failed = pump(client, lambda events: "Failed" in kinds(events))[-1]
        assert isinstance(failed, Failed) and failed.number == 0
        assert "ended with status 7: no such luck;" in str(failed.error)
        assert len(launcher.started) == 2
        number = ask(client, "behaves")
        assert isinstance(final_of(client, number)[-1], Failed)
        assert len(launcher.started) == 4
    finally:
        client.close()


def test_an_interpreter_that_is_not_there_is_an_error_in_words() -> None:
    client = WorkerClient(LocalLauncher(python="/no/such/python"))
    client.set_volume(small_volume())
    failed = final_of(client, ask(client, "randomwalk"))[-1]
    client.close()
    assert isinstance(failed, Failed)
    assert "The worker cannot be started" in str(failed.error)
    assert "/no/such/python" in str(failed.error)


_PARENT = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from worker_helpers import *
client = WorkerClient(FakeLauncher())
client.set_volume(small_volume())
ask(client, {model!r}, child={child!r})
pump(client, has_phrase({phrase!r}))
time.sleep(0.2)
Path({pid_file!r}).write_text(str(client.pid))
time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("model", "phrase"),
    [("starts_a_child", "going round"), ("sleeps", "Loading"), ("loads_slowly", "Loading")],
)
def test_no_worker_and_nothing_it_started_outlives_a_parent_that_is_killed(
    tmp_path: Path, model: str, phrase: str
) -> None:
    root = Path(__file__).resolve().parents[2]
    code = _PARENT.format(
        paths=[str(root / "Testing" / "support"), str(root)],
        model=model,
        phrase=phrase,
        child=str(tmp_path / "child"),
        pid_file=str(tmp_path / "pid"),
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        pid_file = tmp_path / "pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text(encoding="utf-8"))
    finally:
        parent.kill()
        parent.wait()
    pids = [int((tmp_path / "pid").read_text(encoding="utf-8"))]
    if model == "starts_a_child":
        pids.append(int((tmp_path / "child").read_text(encoding="utf-8")))
    for pid in pids:
        wait_until(lambda pid=pid: not is_alive(pid))


def test_a_hundred_prompts_in_a_short_time_end_with_the_answer_to_the_last(
    client: WorkerClient,
) -> None:
    pump(client, lambda events: any(isinstance(e, Started) for e in events))
    numbers = []
    events: list[object] = []
    for n in range(100):
        # Before the request: on a busy machine its own answer may already be there after it.
        events += client.poll()
        numbers.append(ask(client, "loops", shift=n % 3, seconds=0.05))
        time.sleep(0.005)
    events += final_of(client, numbers[-1])
    finals = [e.number for e in events if isinstance(e, Predicted | Stopped | Failed)]
    assert finals == numbers and isinstance(events[-1], Predicted)
