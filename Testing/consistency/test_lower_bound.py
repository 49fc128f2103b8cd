"""The lower bound of the Dice holds as often as it says, and is refused where it means nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib import Box, Geometry, Point, Prediction, Scribble
from MedSegFMLib.consistency.lower_bound import (
    SAYS_NOTHING,
    UNLIKE_DOUBT,
    UNLIKE_PROMPTS,
    UNLIKE_SIZE,
    Calibration,
    Evidence,
    Stratum,
    calibration_of,
    evidence,
    lower_bound,
    quantile,
    score,
)
from MedSegFMLib.consistency.stopping import is_settled
from MedSegFMLib.weights.store import find

STRATA = (
    Stratum((0, 0), 20, 2.0, (100, 10_000), 0.5),
    Stratum((1, 5), 20, 1.0, (100, 10_000), 0.5),
)
CALIBRATION = Calibration(STRATA)


@pytest.mark.parametrize("cases", [10, 21, 60])
def test_the_quantile_covers_nine_of_ten_further_cases_with_dependent_objects(cases: int) -> None:
    rng = np.random.default_rng(cases)

    def case() -> np.ndarray:
        # All objects of a case share most of their error.
        return rng.exponential(1) + 0.1 * rng.random(rng.integers(1, 5))

    covered = []
    for _ in range(400):
        limit = quantile({str(n): list(case()) for n in range(cases)})
        covered.append(np.mean(case() <= limit))
    assert np.mean(covered) > 0.9 - 0.03


def test_too_few_cases_give_no_finite_quantile() -> None:
    assert quantile({str(n): [0.1] for n in range(8)}) == math.inf
    assert quantile({str(n): [0.1] for n in range(9)}) == 0.1


def test_a_case_with_many_objects_counts_as_much_as_one_with_one() -> None:
    scores = {str(n): [0.0] for n in range(19)} | {"many": [9.0] * 1000}
    assert quantile(scores) == 0.0


def test_the_bound_undoes_the_score() -> None:
    found = lower_bound(CALIBRATION, Evidence(0.9, 500, 0))
    assert found.value is not None and score(0.9, found.value) == pytest.approx(2.0)
    more = lower_bound(CALIBRATION, Evidence(0.9, 500, 1))
    assert more.value is not None and more.value > found.value and not more.unlike
    assert lower_bound(CALIBRATION, Evidence(0.9, 500, 30)) == more, "more clicks than calibrated"


@pytest.mark.parametrize(
    ("found", "unlike"),
    [
        (Evidence(0.9, 500, None), UNLIKE_PROMPTS),
        (Evidence(0.9, 49, 0), UNLIKE_SIZE),
        (Evidence(0.9, 20_001, 0), UNLIKE_SIZE),
        (Evidence(None, 0, 0), UNLIKE_SIZE),
        (Evidence(0.49, 500, 0), UNLIKE_DOUBT),
        (Evidence(0.55, 500, 0), SAYS_NOTHING),
    ],
)
def test_what_is_unlike_the_calibration_gets_no_bound(found: Evidence, unlike: str) -> None:
    bound = lower_bound(CALIBRATION, found)
    assert bound.value is None and bound.unlike == unlike


def test_the_evidence_counts_clicks_after_one_box_and_knows_no_other_prompts() -> None:
    geometry = Geometry((8, 8, 8), np.eye(4))
    logits = np.full((8, 8, 8), -3.0, dtype=np.float32)
    logits[2:6, 2:6, 2:6] = 3.0
    prediction = Prediction(geometry, (0, 0, 0), logits)
    box = Box.from_ijk(geometry, (1, 1, 1), (7, 7, 7))
    click = Point.from_ijk(geometry, (3, 3, 3))
    scribble = Scribble(((3.0, 3.0, 3.0), (4.0, 3.0, 3.0)), True)
    found = evidence(prediction, [box, click, replace(click, positive=False)])
    inside = 1 / (1 + math.exp(-3))
    outside = 1 - inside
    total = 64 + 64 * inside + (512 - 64) * outside
    assert found.expected_dice == pytest.approx(2 * 64 * inside / total)
    assert (found.voxels, found.clicks) == (64, 2)
    for others in ([click], [box, box], [click, box], [box, scribble], []):
        assert evidence(prediction, others).clicks is None


def test_the_default_model_is_calibrated_with_the_shipped_weights_alone(tmp_path: Path) -> None:
    calibration = calibration_of("ensam", {})
    assert calibration is not None and len(calibration.strata) == 3
    assert all(stratum.cases >= 20 for stratum in calibration.strata)
    assert [stratum.clicks[0] for stratum in calibration.strata] == [0, 1, 3]
    assert calibration_of("ensam", {"refine": "no"}) is None
    assert calibration_of("ensam", {"weights": str(find("ensam"))}) is None
    assert calibration_of("randomwalk", {}) is None and calibration_of("graphcut", {}) is None


def test_other_installed_weights_have_no_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "ensam.safetensors"
    other.write_bytes(find("ensam").read_bytes() + b" ")
    monkeypatch.setattr("MedSegFMLib.consistency.lower_bound.find", lambda name: other)
    assert calibration_of("ensam", {}) is None


def test_an_object_is_settled_if_a_click_changed_less_than_three_percent() -> None:
    assert is_settled(1000, 10, 10) and is_settled(1000, 1, 0)
    assert not is_settled(1000, 40, 40) and not is_settled(1000, 100, 0)
    assert not is_settled(0, 0, 1000) and not is_settled(1000, 1000, 0), "an object came or went"
    assert not is_settled(1000, 0, 0), "the click was on what is right already"
