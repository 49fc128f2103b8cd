"""Computations on the results of a comparison of models, in a thread beside the main thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ...errors import MedSegFMError
from ...metrics import dice
from ...system.thread_time import GRANTED_SECONDS
from ...volumes.geometry import Geometry
from ..segments.model_voxels import ModelVoxels
from .columns import ReferenceScore, Score
from .results import around

_EMPTY = np.zeros((1, 1, 1), bool)


def dice_of(first: ModelVoxels | None, second: ModelVoxels | None) -> float:
    """Dice of two objects on one grid; None is an empty object."""
    return dice(*_on_one_grid(first, second))


def score_of(score: Score, mask: ModelVoxels | None, geometry: Geometry) -> float:
    """A column's number for an object; None is an empty object."""
    return score(_EMPTY if mask is None else mask.mask_kji, geometry)


def reference_score_of(
    score: ReferenceScore,
    reference: ModelVoxels | None,
    mask: ModelVoxels | None,
    geometry: Geometry,
) -> float:
    """A column's number for an object and its reference; None is an empty object."""
    return score(*_on_one_grid(reference, mask), geometry)


class BackgroundJobs:
    """A thread that works through jobs in their order and touches no node of a scene."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "MedSegFM scores")
        self._jobs: dict[Hashable, Future[Any]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether a job is not finished."""
        return bool(self._jobs)

    def put(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Compute `function(*arguments)`, in place of a job of the same key that has not begun."""
        self.drop(key)
        self._jobs[key] = self._pool.submit(function, *arguments)

    def drop(self, key: Hashable) -> None:
        """Drop the job of a key, if it is not finished."""
        job = self._jobs.pop(key, None)
        if job is not None:
            job.cancel()

    def poll(self) -> list[tuple[Hashable, Any]]:
        """Return the finished jobs: key and value, or the MedSegFMError that was raised."""
        if not self._jobs:
            return []
        wait(list(self._jobs.values()), GRANTED_SECONDS)
        done = [key for key, job in self._jobs.items() if job.done()]
        return [(key, _value_of(self._jobs.pop(key))) for key in done]

    def clear(self) -> None:
        """Drop all jobs that are not finished."""
        for job in self._jobs.values():
            job.cancel()
        self._jobs = {}

    def close(self) -> None:
        """End the thread."""
        self.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _value_of(job: Future[Any]) -> Any:
    try:
        return job.result()
    except MedSegFMError as error:
        return error


def _on_one_grid(first: ModelVoxels | None, second: ModelVoxels | None) -> tuple[Any, Any]:
    region = around([mask for mask in (first, second) if mask is not None])
    if region is None:
        return _EMPTY, _EMPTY
    pair = (None if mask is None else mask.on(region) for mask in (first, second))
    first_kji, second_kji = (
        np.zeros(region.shape_kji, bool) if mask_kji is None else mask_kji for mask_kji in pair
    )
    return first_kji, second_kji
