"""Test-time augmentation of ENSAM: the mean logits over a region and its mirror images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...progress import Progress, parts_of
from ...segmenter import Logits
from .network.config import BOX_START, EnsamConfig
from .runtime import Features, NetworkPrompts, Runtime

# The mirrored axes of each view: half of all combinations, in which every axis is mirrored in half
# of the views.
VIEWS: tuple[tuple[int, ...], ...] = ((), (0, 1), (0, 2), (1, 2))


class MirroredFeatures(Features):
    """The features of each view."""

    def __init__(self, views: Sequence[Features]) -> None:
        super().__init__(sum(view.nbytes for view in views))
        self.views = views


class MirrorAveraged:
    """The `Runtime` that averages another one's logits over `VIEWS`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def config(self) -> EnsamConfig:
        """The network's configuration."""
        return self._runtime.config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> MirroredFeatures:
        """See `Runtime.encode`."""
        shares = parts_of(progress, len(VIEWS))
        return MirroredFeatures(
            [
                self._runtime.encode(_mirrored(image, axes), spacing_kji_mm, share)
                for axes, share in zip(VIEWS, shares, strict=True)
            ]
        )

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """See `Runtime.decode`."""
        assert isinstance(features, MirroredFeatures), (
            "features return to the runtime that made them"
        )
        total = np.zeros((self.config.cells,) * 3, dtype=np.float32)
        shares = parts_of(progress, len(VIEWS))
        for axes, view, share in zip(VIEWS, features.views, shares, strict=True):
            previous = None if previous_logits is None else _mirrored(previous_logits, axes)
            view_prompts = mirrored_prompts(prompts, axes, self.config.cells)
            total += np.flip(self._runtime.decode(view, view_prompts, previous, share), axes)
        return total / np.float32(len(VIEWS))


def mirrored_prompts(prompts: NetworkPrompts, axes: tuple[int, ...], cells: int) -> NetworkPrompts:
    """The prompts on an image of `cells` along each axis, mirrored along `axes`.

    A mirrored box starts at its lowest corner, too.
    """
    positions = prompts.positions_kji.copy()
    for axis in axes:
        positions[:, axis] = cells - 1 - positions[:, axis]
    starts = np.flatnonzero(prompts.kinds == BOX_START)
    first, last = positions[starts], positions[starts + 1]
    positions[starts], positions[starts + 1] = np.minimum(first, last), np.maximum(first, last)
    return NetworkPrompts(prompts.kinds, positions)


def _mirrored(array: Logits, axes: tuple[int, ...]) -> Logits:
    return np.ascontiguousarray(np.flip(array, axes))
