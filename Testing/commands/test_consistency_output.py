"""What `medsegfm segment` writes and prints of the planes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from consistency_fakes import Fake, Liner, register
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Point, Session, Volume
from MedSegFMLib.commands.segmenting.consistency_output import measure_consistency
from MedSegFMLib.consistency import HotSpot, PlaneViews, measure
from MedSegFMLib.progress import no_progress

BOX = ["--box", "4", "4", "3", "20", "18", "15"]
CLICK = ["--point", "11", "10", "8"]


class Unsure(Liner):
    """As sure along the lines as to leave room for an error beside them."""

    def logits(self, *given: object) -> np.ndarray:
        return np.maximum(super().logits(*given), -0.1)  # type: ignore[arg-type]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return ["--model", register(monkeypatch, Unsure)]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))[0].write(folder / "ball.nrrd")
    return folder / "ball.nrrd"


def test_the_map_lies_on_the_volumes_grid_and_holds_the_most_of_all_objects(
    directions: np.ndarray, tmp_path: Path, fake: list[str]
) -> None:
    geometry = Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1), directions, (5, -6, 70))
    make_blob(geometry)[0].write(tmp_path / "ball.nrrd")
    out, written = tmp_path / "seg.nii.gz", tmp_path / "map.nii.gz"
    boxes = ((8, 8, 7, 16, 15, 12), (9, 8, 7, 15, 13, 11))
    clicks = ((11, 10, 8), (12, 8, 8))
    words: list[object] = ["--consistency", written, "--error-map", tmp_path / "errors.nrrd"]
    for box, click in zip(boxes, clicks, strict=True):
        words += ["--box", *box, "--point", *click]
    assert run("segment", tmp_path / "ball.nrrd", "--out", out, *fake, *words) == 0
    found, volume = Volume.read(written), Volume.read(tmp_path / "ball.nrrd")
    assert found.geometry.matches(volume.geometry, 1e-4) and found.array_kji.dtype == np.float32
    session = Session(Unsure(), volume)
    grid = volume.geometry
    for box, click in zip(boxes, clicks, strict=True):
        label = session.add_object()
        session.add(Box.from_ijk(grid, box[:3], box[3:]), label)
        session.add(Point.from_ijk(grid, click), label)
    expected = np.zeros(grid.shape_kji, dtype=np.float32)
    for prediction in PlaneViews(session).predict_all().values():
        part = expected[prediction.region.slices]
        np.maximum(part, measure(prediction, []).disagreement_kji, out=part)
    assert np.array_equal(found.array_kji, expected) and 0.5 < expected.max() <= 1
    errors = Volume.read(tmp_path / "errors.nrrd").array_kji
    for label, prediction in PlaneViews(session).predict_all().items():
        mean = np.mean(list(prediction.planes.values()), axis=0)
        inside = prediction.logits_kji > 0
        own = errors[prediction.region.slices]
        assert label in (1, 2) and (own >= np.where(inside, 1 - mean, mean) - 1e-6).all()
    assert 0 < errors.max() <= 1 and (errors[0] == 0).all()
    assert (expected[0] == 0).all(), "nothing outside what the model looked at"
    assert set(np.unique(Volume.read(out).array_kji)) == {0, 1, 2}


def suggestion_in_this_process(path: Path) -> HotSpot:
    session = Session(Unsure(), Volume.read(path))
    session.add(Box.from_ijk(session.volume.geometry, (4, 4, 3), (20, 18, 15)))
    session.add(Point.from_ijk(session.volume.geometry, (11, 10, 8)))
    found = measure(PlaneViews(session).predict_all()[1], session.prompts.steps(1)[-1])
    assert found.suggestion is not None
    return found.suggestion


def test_the_command_asks_about_a_voxel_and_each_answer_can_be_pasted(
    plain: Path, tmp_path: Path, fake: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["segment", plain, "--out", tmp_path / "s.nrrd", *fake, *BOX, *CLICK]
    assert run(*words, "--consistency", tmp_path / "m.nrrd") == 0
    told = capsys.readouterr().out
    before = Volume.read(tmp_path / "s.nrrd").array_kji
    assert "agreement" in told and "expected Dice" in told
    (row,) = re.findall(r"^ .* Segment_1 .*$", told, re.M)
    agreement, expected = (float(word) for word in row.split()[-2:])
    assert 0 < agreement < 1 and 0 < expected < 1
    asked = re.search(r"^Does voxel (\d+) (\d+) (\d+) belong to 'Segment_1'\? .*$", told, re.M)
    assert asked is not None, told
    ijk = asked.groups()
    i, j, k = map(int, ijk)
    assert (k, j, i) == suggestion_in_this_process(plain).click_kji and before[k, j, i] == 0
    for option, value in (("--point", 1), ("--negative", 0)):
        assert f"{option} {i} {j} {k}" in asked.group()
        assert run(*words, option, *ijk) == 0
        assert Volume.read(tmp_path / "s.nrrd").array_kji[k, j, i] == value
    assert "agreement" not in capsys.readouterr().out, "unless the planes are asked for"


def test_questions_about_several_objects_say_which_they_mean(
    plain: Path, tmp_path: Path, fake: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--object",
        "liver",
        *BOX,
        *CLICK,
        "--object",
        "left [kidney]",
        "--point",
        "3",
        "3",
        "3",
    ]
    figure = ["--consistency-figure", tmp_path / "f.png"]
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *fake, *words, *figure) == 0
    told = capsys.readouterr().out
    for name in ("liver", "left [kidney]"):
        assert re.search(rf"^Does voxel \d+ \d+ \d+ belong to '{re.escape(name)}'\?", told, re.M)
    assert (tmp_path / "f.png").stat().st_size > 20_000


def test_where_nothing_is_doubtful_nothing_is_asked(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = ["--model", register(monkeypatch, Fake)]
    out = ["--out", tmp_path / "s.nrrd", "--consistency", tmp_path / "m.nrrd"]
    assert run("segment", plain, *out, *model, *BOX) == 0
    assert "The planes are in doubt about no part of 'Segment_1'." in capsys.readouterr().out
    assert Volume.read(tmp_path / "m.nrrd").array_kji.max() < 1e-6


def test_a_model_that_takes_no_clicks_is_not_told_to_be_clicked(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", "ellipsoid", *BOX, "--consistency", tmp_path / "m.nii.gz"]
    assert run("segment", plain, "--out", tmp_path / "s.nrrd", *words) == 0
    told = capsys.readouterr().out
    assert "expected Dice" in told and "Does voxel" not in told


@pytest.mark.parametrize("prompts", [("box",), ("box", "point")])
def test_the_figure_of_a_model_that_takes_no_clicks_shows_none(
    plain: Path, monkeypatch: pytest.MonkeyPatch, prompts: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Unsure, "card", replace(Unsure.card, prompts=prompts))
    session = Session(Unsure(), Volume.read(plain))
    session.add(Box.from_ijk(session.volume.geometry, (4, 4, 3), (20, 18, 15)))
    suggestion = measure_consistency(session, no_progress)[1].consistency.suggestion
    assert (suggestion is not None) == ("point" in prompts)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--consistency", "map.txt"], "map.txt"),
        (["--consistency", "nowhere/map.nrrd"], "does not exist"),
        (["--consistency", "seg.nrrd"], "same name"),
        (["--consistency", "in/ball.nrrd"], "is an input of this command"),
        (["--consistency-figure", "f.bmp"], "use .png or .jpg"),
        (["--consistency-figure", "nowhere/f.png"], "does not exist"),
        (["--preview", "f.png", "--consistency-figure", "f.png"], "same name"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_any_work(
    plain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    error = refused(capsys, "segment", "in/ball.nrrd", "--out", "seg.nrrd", *BOX, *words)
    assert said in error
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
