"""A lower bound of the Dice of a prediction, calibrated on cases with a reference.

Split conformal prediction: on calibration cases, the score (expected - true Dice) / (1.02 -
expected Dice) is computed, where the expected Dice follows from the prediction's own probabilities;
its quantile then bounds the true Dice of new cases. Predictions of one case are not independent, so
each case has the same weight, and one further case counts as infinite: the hierarchical conformal
prediction of Lee, Barber and Willett, "Distribution-free inference with hierarchical data" (2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..prompts.types import Box, Point, Prompt
from ..registry import card, resolve_name
from ..segmenter import Prediction, probabilities
from ..system.json_files import parse_json
from ..weights.checksums import own_sha256
from ..weights.store import find
from .hot_spots import expected_error
from .measure import expected_dice

# The share of cases in which the true Dice is at least the bound.
COVERAGE = 0.9
# Above 1, so that an expected Dice of 1 does not promise a Dice of 1.
_MOST_DICE = 1.02
# A prediction of up to this factor fewer or more voxels than all calibrated ones is like them.
_SIZE_FACTOR = 2.0
_CALIBRATIONS = Path(__file__).with_name("calibrations.json")

UNLIKE_PROMPTS = "it is calibrated for one box and clicks alone"
UNLIKE_SIZE = "no calibration case has a segment of this size"
UNLIKE_DOUBT = "no calibration case is as doubtful"
SAYS_NOTHING = "the prediction is so doubtful that its Dice may be anything"
# A bound below this, which would be shown as 0.00, says nothing.
_LEAST_BOUND = 0.005


@dataclass(frozen=True)
class Stratum:
    """The calibration for a number of clicks after the box.

    Attributes:
        clicks: the least and the greatest number of clicks.
        cases: the number of calibration cases.
        quantile: the quantile of their scores.
        voxels: the least and the greatest size of their predictions.
        least_expected_dice: the least expected Dice among them.
    """

    clicks: tuple[int, int]
    cases: int
    quantile: float
    voxels: tuple[int, int]
    least_expected_dice: float


@dataclass(frozen=True)
class Calibration:
    """The calibration of a model with certain weights and the default options."""

    strata: tuple[Stratum, ...]


@dataclass(frozen=True)
class LowerBound:
    """The Dice that a prediction has at least, in 9 of 10 cases.

    Attributes:
        value: the bound, above 0 and up to 1; None if there is none.
        unlike: in what the prediction is unlike the calibration, or that a bound would say nothing;
            empty if there is a bound.
    """

    value: float | None
    unlike: str = ""


@dataclass(frozen=True)
class Evidence:
    """The numbers that a bound is computed from.

    Attributes:
        expected_dice: the expected Dice by the prediction's own probabilities; None if nothing was
            found.
        voxels: the size of the prediction.
        clicks: the clicks after the box; None for other prompts.
    """

    expected_dice: float | None
    voxels: int
    clicks: int | None


def evidence(prediction: Prediction, prompts: Sequence[Prompt]) -> Evidence:
    """The evidence of a prediction and the prompts of its object.

    Args:
        prediction: the prediction.
        prompts: those given for the object itself. Marks of other objects are none, although they
            are background for it: the calibration cases have one object each.
    """
    mask = prediction.logits_kji > 0
    error = expected_error({"own": probabilities(prediction.logits_kji)}, mask)
    boxes = sum(isinstance(prompt, Box) for prompt in prompts)
    clicks = sum(isinstance(prompt, Point) for prompt in prompts)
    is_known = boxes == 1 and boxes + clicks == len(prompts) and isinstance(prompts[0], Box)
    voxels = int(np.count_nonzero(mask))
    return Evidence(expected_dice(error, mask), voxels, clicks if is_known else None)


def calibration_of(model: str, options: Mapping[str, Any]) -> Calibration | None:
    """The calibration of a model.

    Args:
        model: its name.
        options: those of its `create`; any of them makes it another model.

    Returns:
        The calibration; None if there is none for the installed weights and these options.

    Raises:
        WeightsError: its weights cannot be read.
    """
    name = resolve_name(model)
    known = _calibrations().get(name)
    if known is None or options:
        return None
    sha256, calibration = known
    weights = card(name).weights
    assert weights is not None, "only models with weights are calibrated"
    return calibration if own_sha256(find(weights)) == sha256 else None


def lower_bound(calibration: Calibration, found: Evidence) -> LowerBound:
    """The bound of a prediction, or why there is none."""
    clicks, expected = found.clicks, found.expected_dice
    if clicks is None:
        return LowerBound(None, UNLIKE_PROMPTS)
    if expected is None:
        return LowerBound(None, UNLIKE_SIZE)
    # More clicks than any calibrated object had are no reason to expect less.
    reached = [stratum for stratum in calibration.strata if stratum.clicks[0] <= clicks]
    stratum = reached[-1]
    low, high = stratum.voxels
    if not low / _SIZE_FACTOR <= found.voxels <= high * _SIZE_FACTOR:
        return LowerBound(None, UNLIKE_SIZE)
    if expected < stratum.least_expected_dice:
        return LowerBound(None, UNLIKE_DOUBT)
    value = expected - stratum.quantile * (_MOST_DICE - expected)
    return LowerBound(value) if value >= _LEAST_BOUND else LowerBound(None, SAYS_NOTHING)


def score(expected: float, true: float) -> float:
    """How much a prediction is worse than expected, for the calibration."""
    return (expected - true) / (_MOST_DICE - expected)


def quantile(scores: Mapping[str, Sequence[float]], coverage: float = COVERAGE) -> float:
    """The score that a prediction of a further case exceeds with at most 1 - coverage.

    Args:
        scores: the scores of each calibration case.
        coverage: the share.

    Returns:
        The quantile; infinite if there are too few cases.
    """
    share = 1 / (len(scores) + 1)
    weighted = sorted((value, share / len(own)) for own in scores.values() for value in own)
    total = 0.0
    for value, weight in weighted:
        total += weight
        if total >= coverage - 1e-9:
            return value
    return math.inf


@cache
def _calibrations() -> Mapping[str, tuple[str, Calibration]]:
    """The SHA-256 of the weights and the calibration of each model."""
    document: Any = parse_json(_CALIBRATIONS.read_bytes(), dict)
    return {
        name: (
            item["weights_sha256"],
            Calibration(
                tuple(
                    Stratum(
                        (part["clicks"][0], part["clicks"][1]),
                        part["cases"],
                        part["quantile"],
                        (part["voxels"][0], part["voxels"][1]),
                        part["least_expected_dice"],
                    )
                    for part in item["strata"]
                )
            ),
        )
        for name, item in document.items()
    }
