"""What the tests of the worker share: a client of misbehaving models, and how to wait for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib import Box, Geometry, Volume
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.worker.client import (
    Event,
    Failed,
    LocalLauncher,
    Predicted,
    Progressed,
    Request,
    Stopped,
    WorkerClient,
)

FAKES = Path(__file__).with_name("worker_fakes.py")
FINAL = (Predicted, Failed, Stopped)


@dataclass(frozen=True)
class FakeLauncher(LocalLauncher):
    """Starts `worker_fakes.py`, and counts how often."""

    extra: Mapping[str, str] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)

    def arguments(self) -> list[str]:
        self.started.append(1)
        return [sys.executable, str(FAKES)]

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), **self.extra}


def small_volume(value: float = 0) -> Volume:
    array = np.arange(8 * 10 * 12, dtype=np.int16).reshape(8, 10, 12)
    array[0, 0, 0] += value
    return Volume(array, Geometry.from_spacing((8, 10, 12)))


def one_box(volume: Volume, shift: int = 0) -> PromptList:
    box = Box.from_ijk(volume.geometry, (2 + shift, 3, 2), (9 + shift, 8, 6))
    return PromptList().with_object("a").added(1, box)


def ask(client: WorkerClient, model: str, shift: int = 0, **options: object) -> int:
    return client.request(Request(model, one_box(small_volume(), shift), "cpu", options))


def pump(
    client: WorkerClient, until: Callable[[list[Event]], bool], seconds: float = GENEROUS_SECONDS
) -> list[Event]:
    """All events until `until` says that they are enough."""
    events: list[Event] = []

    def is_enough() -> bool:
        events.extend(client.poll())
        return until(events)

    wait_until(is_enough, seconds, lambda: f"there is only {events}; {client.log}", 0.005)
    return events


def final_of(client: WorkerClient, number: int) -> list[Event]:
    """All events up to the one that ends a request."""
    return pump(client, lambda events: has_final(events, number))


def has_final(events: list[Event], number: int) -> bool:
    return any(isinstance(e, FINAL) and e.number == number for e in events)


def has_phrase(phrase: str) -> Callable[[list[Event]], bool]:
    return lambda events: any(isinstance(e, Progressed) and phrase in e.phrase for e in events)


def kinds(events: list[Event]) -> list[str]:
    """The events' names in order, runs of progress as one."""
    names = [type(event).__name__ for event in events]
    return [n for i, n in enumerate(names) if n != "Progressed" or names[i - 1 : i] != [n]]


def steps(events: list[Event]) -> list[str]:
    """The same without progress, which a busy machine tells more often."""
    return [name for name in kinds(events) if name != "Progressed"]


def mask_of(event: Event, volume: Volume, label: int = 1) -> np.ndarray:
    assert isinstance(event, Predicted), event
    mask = np.zeros(volume.geometry.shape_kji, np.uint8)
    answer = event.answers[label]
    if answer.region is not None:
        mask[answer.region.slices] = answer.mask_kji
    return mask
