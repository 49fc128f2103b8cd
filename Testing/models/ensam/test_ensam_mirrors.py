"""ENSAM's answers averaged over mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from MedSegFMLib.models.ensam.mirror_averaging import VIEWS, MirrorAveraged, mirrored_prompts
from MedSegFMLib.models.ensam.network.config import (
    BOX_END,
    BOX_START,
    FOREGROUND,
    EnsamConfig,
)
from MedSegFMLib.models.ensam.runtime import Features, NetworkPrompts
from MedSegFMLib.progress import no_progress

CELLS = 16
PROMPTS = NetworkPrompts(
    np.array([BOX_START, BOX_END, FOREGROUND]),
    np.array([[2, 3, 4], [9, 10, 11], [5, 6, 7.5]], dtype=np.float32),
)


class Seen(Features):
    def __init__(self, image: Any) -> None:
        super().__init__(image.nbytes)
        self.image = image


class Ball:
    """A runtime that answers with the image, the previous logits and a ball around the click."""

    config = EnsamConfig(cells=CELLS)

    def encode(self, image: Any, spacing_kji_mm: Sequence[float], progress: Any) -> Features:
        progress(1.0, "seen")
        return Seen(image)

    def decode(self, features: Any, prompts: NetworkPrompts, previous: Any, progress: Any) -> Any:
        progress(1.0, "drawn")
        at = prompts.positions_kji[-1]
        grid = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3, indexing="ij"), axis=-1)
        ball = 4 - np.linalg.norm(grid - at, axis=-1)
        start, end = prompts.positions_kji[:2]
        assert np.all(start < end), "a box begins at its lowest corner"
        before = 0 if previous is None else previous
        return (ball + features.image + before).astype(np.float32)


def test_what_does_not_mind_mirrors_is_answered_as_without_them() -> None:
    rng = np.random.default_rng(0)
    image, previous = (rng.random((CELLS,) * 3, dtype=np.float32) for _ in range(2))
    plain, mirrored = Ball(), MirrorAveraged(Ball())
    for before in (None, previous):
        expected, found = (
            runtime.decode(
                runtime.encode(image, (1, 1, 1), no_progress), PROMPTS, before, no_progress
            )
            for runtime in (plain, mirrored)
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert found.dtype == np.float32 and found.flags.c_contiguous


def test_every_axis_is_mirrored_in_half_of_the_views() -> None:
    assert all(sum(axis in view for view in VIEWS) * 2 == len(VIEWS) for axis in range(3))


def test_mirroring_prompts_twice_changes_nothing() -> None:
    for axes in VIEWS:
        once = mirrored_prompts(PROMPTS, axes, CELLS)
        twice = mirrored_prompts(once, axes, CELLS)
        np.testing.assert_array_equal(twice.positions_kji, PROMPTS.positions_kji)
        if axes:
            assert not np.array_equal(once.positions_kji, PROMPTS.positions_kji)


def test_features_take_the_memory_of_all_views_and_progress_runs_to_the_end() -> None:
    told: list[float] = []
    features = MirrorAveraged(Ball()).encode(
        np.zeros((CELLS,) * 3, np.float32),
        (1, 1, 1),
        lambda fraction, phrase: told.append(fraction),
    )
    assert features.nbytes == len(VIEWS) * CELLS**3 * 4
    assert told == sorted(told) and told[-1] == 1.0
