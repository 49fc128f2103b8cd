"""The prompts of a step, for models that go on from their previous answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...prompts.mask import Mask
from ...prompts.types import Box, Prompt, is_positive, is_start
from ...prompts.voxels import to_voxels
from ...segmenter import Prediction


def after_start(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The prompts for the network: those after the mask to start from, without other masks."""
    starts = [n for n, prompt in enumerate(prompts) if is_start(prompt)]
    after = prompts[starts[-1] + 1 :] if starts else prompts
    return tuple(prompt for prompt in after if not isinstance(prompt, Mask))


def without_leading_background(
    prompts: tuple[Prompt, ...],
) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """The prompts before the first on the object, which alone show nothing, and the others."""
    first = next((n for n, prompt in enumerate(prompts) if is_positive(prompt)), len(prompts) - 1)
    return prompts[:first], prompts[first:]


def is_heeded(previous: Prediction, prompts: Sequence[Prompt]) -> bool:
    """Whether a prediction already agrees with the last prompt, a mark.

    Networks are trained on clicks into errors: a click on something already correct, such as a
    neighbouring object, would make it correct an error elsewhere.
    """
    if not prompts or isinstance(prompts[-1], Box):
        return False
    marks = to_voxels(prompts[-1:], previous.geometry)
    within = marks.within(previous.region)
    predicted = previous.logits_kji[tuple(within.voxels_kji.T)] > 0
    # Beyond its region everything is background.
    found_beyond = np.count_nonzero(marks.positive) > np.count_nonzero(within.positive)
    return not found_beyond and bool((predicted == within.positive).all())
