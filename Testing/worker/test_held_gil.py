"""The loop that keeps Python's lock as Slicer's does, for the tests of the worker and the panel."""

import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from held_gil import HeldLoop, hold
from waiting import wait_until


@pytest.fixture
def turns() -> Iterator[list[int]]:
    """How often a thread that wants the lock all the time has got it."""
    found, ended = [0], Event()

    def work() -> None:
        while not ended.wait(0.0005):
            found[0] += 1

    thread = Thread(target=work, daemon=True)
    thread.start()
    yield found
    ended.set()
    thread.join()


def test_no_thread_runs_while_the_loop_waits(turns: list[int]) -> None:
    before = turns[0]
    hold(1)
    # Free, it would turn some 2,000 times; a busy machine may let it turn just before.
    assert turns[0] - before < 200
    wait_until(lambda: turns[0] - before > 500)


def test_a_thread_runs_in_the_ticks_alone(turns: list[int]) -> None:
    loop = HeldLoop(lambda: time.sleep(0.002), period_seconds=0.01)
    before = turns[0]
    loop.run_until(lambda: turns[0] - before > 20)
    assert loop.ticks >= 2
    assert loop.longest_tick_seconds >= 0.002


def test_the_loop_ends_with_a_word_where_the_condition_never_holds() -> None:
    loop = HeldLoop(lambda: None, period_seconds=0.001)
    with pytest.raises(AssertionError, match="nothing came"):
        loop.run_until(lambda: False, 0.02, lambda: "nothing came")
