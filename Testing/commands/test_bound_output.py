"""`medsegfm segment` prints the lower bound of the Dice, and when there is none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from MedSegFMLib import Geometry, Volume

BOX = ["--box", "8", "8", "8", "25", "25", "25"]


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A bright ball in noise."""
    k, j, i = np.ogrid[:32, :32, :32]
    inside = (k - 16) ** 2 + (j - 16) ** 2 + (i - 16) ** 2 <= 49
    noise = np.random.default_rng(0).normal(0, 5, inside.shape)
    path = tmp_path / "ball.nrrd"
    Volume((100 * inside + noise).astype(np.float32), Geometry(inside.shape, np.eye(4))).write(path)
    return path


def segment(ball: Path, *words: str) -> None:
    assert run("segment", ball, "--out", ball.with_name("s.nrrd"), *words) == 0


def test_the_default_model_has_a_bound_that_the_table_shows(
    ball: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment(ball, *BOX)
    told = capsys.readouterr().out
    assert "Dice at least (90%)" in told
    assert re.search(r"Segment_1 .* 0\.\d\d *$", told, re.M), told


@pytest.mark.parametrize(
    "words",
    [("--model", "randomwalk", *BOX), (*BOX, "--option", "refine=no")],
)
def test_what_is_not_calibrated_shows_none(
    ball: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    segment(ball, *words)
    assert "at least" not in capsys.readouterr().out


def test_prompts_beyond_the_calibration_give_a_dash(
    ball: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment(ball, "--point", "16", "16", "16")
    told = capsys.readouterr().out
    assert re.search(r"Segment_1 .* - *$", told, re.M), told


@pytest.mark.parametrize("box_first", [True, False])
def test_clicks_on_another_object_raise_no_bound_and_take_none_away(
    ball: Path, box_first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def bound(*words: str) -> str:
        segment(ball, *words)
        told = capsys.readouterr().out
        found = re.search(r"the_ball .* (0\.\d\d) *$", told, re.M)
        assert found is not None, told
        return found[1]

    box = ("--object", "the_ball", *BOX)
    corners = [("--point", *place) for place in ("222", "229", "292")]
    clicks = ("--object", "other", *(word for click in corners for word in click))
    assert bound(*(box + clicks if box_first else clicks + box)) == bound(*box)


def test_a_size_beyond_the_calibration_is_said(
    ball: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment(ball, "--box", "15", "15", "15", "18", "18", "18")
    told = capsys.readouterr().out
    assert "no bound of the Dice of 'Segment_1': no calibration case has a segment of this" in told
