"""Large regions in windows: which of them are processed, and what they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ensam_echo import CELLS, Echo, noise_volume, predict, ramp_volume

from MedSegFMLib.models.ensam.model import EnsamSegmenter
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Box, Point
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")


def test_large_region_is_seen_once_more_in_windows() -> None:
    # Two windows along i, in which a ramp of the whole is found again at finer cells.
    volume = ramp_volume((CELLS, CELLS, 6 * CELLS), axis=2)
    seen: list[tuple[float, float]] = []

    def answer(image: Any) -> Any:
        seen.append((float(image.min()), float(image.max())))
        return image

    # A click in the middle is in both.
    click = Point.from_ijk(volume.geometry, (48, 8, 8), True)
    prompts = [Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)), click]
    prediction = predict(EnsamSegmenter(Echo(answer)), volume, prompts)
    assert len(seen) == 3
    whole, (first, second) = seen[0], seen[-2:]
    # One scale of intensities for all, so that the windows look like parts of the whole.
    assert (
        first[0] == whole[0] and second[1] == whole[1] and first[1] == pytest.approx(0.6, abs=0.02)
    )
    assert np.abs(np.diff(prediction.logits_kji[4, 4])).max() < 0.05


def test_window_far_from_the_object_is_not_decoded() -> None:
    volume = ramp_volume((CELLS, CELLS, 6 * CELLS), axis=2)
    calls = []

    def answer(image: Any) -> Any:
        calls.append(image)
        return image * 40 - 38

    # The click is in both windows.
    click = Point.from_ijk(volume.geometry, (48, 8, 8), False)
    prompts = [Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)), click]
    predict(EnsamSegmenter(Echo(answer)), volume, prompts)
    assert len(calls) == 2


def test_window_is_processed_once_a_click_is_in_it_and_keeps_its_answer() -> None:
    volume = noise_volume((CELLS, CELLS, 6 * CELLS))
    given: list[list[int]] = []
    encoded = []

    class Listening(Echo):
        def encode(self, image: Any, spacing_kji_mm: Sequence[float], progress: Any) -> Any:
            encoded.append(image)
            return super().encode(image, spacing_kji_mm, progress)

        def decode(self, features: Any, prompts: Any, previous: Any, progress: Any) -> Any:
            given.append(prompts.kinds.tolist())
            return features.image + len(given)

    model = EnsamSegmenter(Listening())
    encoding = model.encode(volume, None, no_progress)
    prompts = [
        Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)),
        Point.from_ijk(volume.geometry, (10, 8, 8), False),
        Point.from_ijk(volume.geometry, (80, 8, 8), False),
    ]
    steps: list[Prediction | None] = [None]
    for n in range(3):
        steps.append(model.predict(encoding, prompts[: n + 1], steps[-1], no_progress))
    # Each time the whole, and the window with the new click, which has no other.
    assert given == [[0, 1], [0, 1, 3], [0, 1, 3], [0, 1, 3, 3], [0, 1, 3]]
    assert len(encoded) == 3
    # The answer to the whole is 2 higher, that to the window the same: this is their mean.
    rise = (steps[3].logits_kji - steps[2].logits_kji)[..., :30]
    clicked = np.zeros(rise.shape, bool)
    clicked[8, 8, 10] = True
    np.testing.assert_allclose(rise[~clicked], 1, atol=1e-5)
    # Another region is looked at anew.
    given.clear()
    elsewhere = model.encode(volume, Region((0, 0, 1), (CELLS, CELLS, 6 * CELLS)), no_progress)
    model.predict(elsewhere, prompts, steps[3], no_progress)
    assert len(given) == 3


def test_without_a_box_all_windows_are_processed_at_each_click() -> None:
    volume = noise_volume((CELLS, CELLS, 6 * CELLS))
    calls = []

    def answer(image: Any) -> Any:
        calls.append(image)
        return image

    model = EnsamSegmenter(Echo(answer))
    encoding = model.encode(volume, None, no_progress)
    clicks = [Point.from_ijk(volume.geometry, (n, 8, 8), False) for n in (10, 20)]
    before = model.predict(encoding, clicks[:1], None, no_progress)
    model.predict(encoding, clicks, before, no_progress)
    assert len(calls) == 6
