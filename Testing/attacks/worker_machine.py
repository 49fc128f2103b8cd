"""Lives of a worker's client: workers start, answer, garble, hang and die at any moment."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fake_connection import FakeConnection, NoLauncher, signature
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from machines import escape_in_lives
from worker_helpers import FINAL, one_box, small_volume

from MedSegFMLib.worker import client as client_module
from MedSegFMLib.worker.client import Event, Predicted, Request, WorkerClient
from MedSegFMLib.worker.events import Opened, Progressed
from MedSegFMLib.worker.frames import Frame
from Testing.attacks import worker_frames

NAME = "worker lives"


class WorkerMachine(RuleBasedStateMachine):
    """A client and the fake workers that it starts; the time is the machine's."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.connections: list[FakeConnection] = []
        self.running: set[int] = set()
        self.requests: list[int] = []
        self.ended: dict[int, Event] = {}
        self.volume = 0
        client_module.time = SimpleNamespace(monotonic=lambda: self.now)  # type: ignore[assignment]
        self.client = WorkerClient(NoLauncher(), connect=self.connect)  # type: ignore[arg-type]
        self.set_volume()

    def connect(self, _launcher: object) -> Any:
        self.connections.append(FakeConnection(lambda: self.now))
        return self.connections[-1]

    @property
    def worker(self) -> FakeConnection:
        return self.connections[-1]

    def is_running(self) -> bool:
        return len(self.connections) in self.running and not self.worker.killed

    @rule()
    def set_volume(self) -> None:
        self.volume += 1
        self.client.set_volume(small_volume(self.volume))

    @rule()
    def set_the_same_volume(self) -> None:
        assert not self.client.set_volume(small_volume(self.volume))

    @rule()
    def request(self) -> None:
        prompts = one_box(small_volume())
        self.requests.append(self.client.request(Request("ellipsoid", prompts)))

    @rule()
    def cancel(self) -> None:
        self.client.cancel()

    @rule()
    def poll(self) -> None:
        for event in self.client.poll():
            # A model stays loaded, whatever becomes of its request.
            number = 0 if isinstance(event, Opened) else getattr(event, "number", 0)
            assert number == 0 or number in self.requests
            if isinstance(event, FINAL) and number:
                assert number not in self.ended, f"{event} after {self.ended[number]}"
                self.ended[number] = event
                if isinstance(event, Predicted):
                    assert signature(event.answers[1]) == number % 8, "the answer to another"
            else:
                assert number not in self.ended, f"{event} of a request that has ended"

    @precondition(lambda self: not self.is_running() and not self.worker.killed)
    @rule()
    def start(self) -> None:
        self.running.add(len(self.connections))
        self.worker.start()

    @precondition(lambda self: self.is_running())
    @rule()
    def work(self) -> None:
        self.worker.work()

    @precondition(lambda self: self.is_running() and self.requests)
    @rule(n=st.integers(0, 3))
    def report(self, n: int) -> None:
        self.worker.tell(Progressed(self.requests[-1 - n % len(self.requests)], 0.5, "", 0))

    @precondition(lambda self: self.is_running())
    @rule()
    def alive(self) -> None:
        self.worker.tell(Frame("alive"))

    @rule(seed=st.integers(0, 1 << 20))
    def garble(self, seed: int) -> None:
        """Frames that do not have the form of this machine's own answers."""
        payload = next(worker_frames.inputs(random.Random(seed)))
        if b"predicted" not in payload and b"failed" not in payload:
            self.worker.feed(payload)
            # It may say in there that it started.
            self.running.add(len(self.connections))

    @rule()
    def die(self) -> None:
        self.worker.kill()

    @rule()
    def hang(self) -> None:
        self.worker.hangs = True

    @rule(seconds=st.sampled_from([0.5, 2.0, 100.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        try:
            self.settle()
        finally:
            client_module.time = time

    def settle(self) -> None:
        """With workers that work from here on, each request has ended, and the next is answered."""
        for _ in range(4):
            self.poll()
            self.now += 1000
            self.poll()
        self.request()
        for _ in range(6):
            self.now += 1000 if self.worker.hangs else 0
            self.poll()
            if not self.client.ready and not self.worker.killed:
                self.worker.start()
            self.poll()
            while self.worker.work():
                pass
        self.poll()
        assert not self.client.busy
        assert set(self.ended) == set(self.requests), "each request ends"
        assert isinstance(self.ended[self.requests[-1]], Predicted), self.ended
        self.client.close()
        assert self.worker.killed


def inputs(rng: random.Random) -> Iterator[int]:
    """Numbers of lives."""
    while True:
        yield rng.getrandbits(32)


def escape(payload: int, folder: Path) -> str | None:
    """How a life broke a rule."""
    return escape_in_lives(WorkerMachine, payload, steps=40)
