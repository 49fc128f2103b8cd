"""The page for the first hour: its commands run, and draw the pictures that it shows."""

from __future__ import annotations

import json
from pathlib import Path

import first_hour
import numpy as np
import pytest
from command_line import run

from MedSegFMLib import Segmentation, Volume
from MedSegFMLib.metrics import dice

# Of 255: fonts and the last bits of a network differ between computers.
MOST_DIFFERENCE = 4.0
LIVER = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all commands of the page were run."""
    place = tmp_path_factory.mktemp("first-hour")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for words in first_hour.commands():
            assert run(*words) == 0, words
    return place


def pixels(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"), dtype=float)


def test_the_page_has_every_step_in_its_order() -> None:
    steps = [words[0] for words in first_hour.commands()]
    assert steps == "demo show segment view segment view measure replay evaluate".split()


@pytest.mark.parametrize("name", first_hour.shown_pictures())
def test_a_picture_of_the_page_is_what_its_command_draws(name: str, folder: Path) -> None:
    drawn = pixels(first_hour.drawn_picture(name, folder))
    shown = pixels(first_hour.PICTURES / name)
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < MOST_DIFFERENCE, "run Testing/support/first_hour.py"


def test_no_picture_is_kept_that_the_page_does_not_show() -> None:
    kept = {path.name for path in first_hour.PICTURES.iterdir()}
    assert kept == set(first_hour.shown_pictures())


def test_the_click_of_the_page_corrects_what_its_box_got_wrong(folder: Path) -> None:
    true = Volume.read(folder / "demo/reference.nii.gz").array_kji == LIVER
    box, click = (
        dice(true, Segmentation.read(folder / f"{step}.seg.nrrd").labelmap().array_kji > 0)
        for step in ("box", "click")
    )
    assert box < 0.9 < click


def test_the_comparison_of_the_page_has_every_model_and_a_report(folder: Path) -> None:
    summary = json.loads((folder / "results/summary.json").read_text(encoding="utf-8"))
    assert {"ensam", "randomwalk", "ellipsoid"} <= summary.keys()
    assert "ellipsoid" in (folder / "results/report.html").read_text(encoding="utf-8")
    assert (folder / "measures.csv").read_text(encoding="utf-8").count("liver") == 1
