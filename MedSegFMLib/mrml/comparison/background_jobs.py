"""What is computed on the results of a comparison of models, beside the main thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from ...errors import MedSegFMError
from ...metrics import dice, surface_dice
from ...volumes.geometry import Geometry
from ..segments.model_voxels import ModelVoxels
from .results import around

TOLERANCE_MM = 2.0
_NOTHING = np.zeros((1, 1, 1), bool)
# The thread gets so much of each call: between calls Slicer's event loop may keep Python to itself.
_GRANTED_SECONDS = 0.005


def agreement_of(first: ModelVoxels | None, second: ModelVoxels | None) -> float:
    """Dice of two objects on one grid; None: an empty one."""
    return dice(*_on_one_grid(first, second))


def surface_agreement_of(
    first: ModelVoxels | None, second: ModelVoxels | None, geometry: Geometry
) -> float:
    """Surface Dice at `TOLERANCE_MM` of two objects on the grid `geometry`; None: an empty one."""
    return surface_dice(*_on_one_grid(first, second), geometry.spacing_kji_mm, TOLERANCE_MM)


def volume_ml(mask: ModelVoxels | None, geometry: Geometry) -> float:
    """Millilitres of an object; None: an empty one."""
    if mask is None:
        return 0.0
    return float(np.count_nonzero(mask.mask_kji)) * geometry.voxel_volume_mm3 / 1000


class BackgroundJobs:
    """Works off what is put on it in a thread of its own, which touches no node of a scene."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "MedSegFM scores")
        self._jobs: dict[Hashable, Future[Any]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether something is not computed yet."""
        return bool(self._jobs)

    def put(self, key: Hashable, function: Callable[..., Any], *args: Any) -> None:
        """Compute `function(*args)`, in place of what is not begun of the same key."""
        self.drop(key)
        self._jobs[key] = self._pool.submit(function, *args)

    def drop(self, key: Hashable) -> None:
        """Drop what is not there yet of one key."""
        job = self._jobs.pop(key, None)
        if job is not None:
            job.cancel()

    def poll(self) -> list[tuple[Hashable, Any]]:
        """What is there now: key and value, or the MedSegFMError that came instead."""
        if not self._jobs:
            return []
        wait(list(self._jobs.values()), _GRANTED_SECONDS)
        done = [key for key, job in self._jobs.items() if job.done()]
        return [(key, _value_of(self._jobs.pop(key))) for key in done]

    def clear(self) -> None:
        """Drop what is not there yet."""
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
        return _NOTHING, _NOTHING
    pair = (None if mask is None else mask.on(region) for mask in (first, second))
    there = [np.zeros(region.shape_kji, bool) if mask is None else mask for mask in pair]
    return there[0], there[1]
