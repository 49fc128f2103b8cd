"""The figures of a report, and the pictures of its cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from evaluate_reports import RNG
from evaluate_rows import cases_of, rows_of, steps_of
from PIL import Image
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.drawing.picture import Panel
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.report import figures
from MedSegFMLib.evaluate.report.summary import summarise
from MedSegFMLib.evaluate.results import case_picture as pictures
from MedSegFMLib.evaluate.results.case_picture import write_picture


def test_every_model_is_in_the_legend() -> None:
    rows = rows_of({"_of mine": [0.5] * 7, "x" * 40: [0.6] * 7})
    svg = figures.curves(summarise(rows, [], cases_of(rows), Protocol()))
    assert "_of mine</text>" in svg and f"{'x' * 40}</text>" in svg


def test_many_models_and_modalities_are_drawn() -> None:
    rows = [
        row
        for n in range(9)
        for case in range(13)
        for row in steps_of(f"model {n}", f"{case}", float(RNG.random()), modality=f"M{case}")
    ]
    summary = summarise(rows, [], cases_of(rows), Protocol())
    assert figures.curves(summary).count("(1 case)") == 11
    assert figures.stability(summary.rankings).startswith("<svg")


def test_many_cases_are_drawn_as_points_of_a_picture() -> None:
    few, many = (
        figures.strips(summarise(rows, [], cases_of(rows), Protocol()))
        for rows in (rows_of({"a": RNG.random(n).tolist()}) for n in (10, 2100))
    )
    assert "<image" not in few and "<image" in many and len(many) < 200_000


def test_the_picture_goes_through_the_worst_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, _ = make_blob(Geometry.from_spacing((20, 22, 24), (1, 1, 1)))
    labels = np.zeros((20, 22, 24), np.uint8)
    labels[2:8, 2:8, 2:8] = 1
    labels[12:18, 12:18, 12:18] = 2
    case = Case("c", tmp_path, tmp_path, tmp_path, "CT", ((1, "good"), (2, "bad")))
    masks = (labels == 1).astype(np.uint8)
    masks[12:18, 12:18, 12:13] |= 2
    drawn: list[Sequence[Sequence[Panel]]] = []
    monkeypatch.setattr(
        pictures.picture, "draw_panels", lambda _, rows, *_a, **_k: drawn.append(rows)
    )
    monkeypatch.setattr(pictures.picture, "write_picture", lambda *_: None)
    loaded = LoadedCase(volume, Volume(labels, volume.geometry), False)
    write_picture(case, loaded, masks, "t", tmp_path / "p.jpg")
    k, j, i = (panel.index for panel in drawn[-1][0])
    assert labels[k, j, i] == 2 and masks[k, j, i] == 0
    write_picture(case, loaded, masks | (labels == 2) * np.uint8(2), "t", tmp_path / "p.jpg")
    k, j, i = (panel.index for panel in drawn[-1][0])
    assert labels[k, j, i] == 1, "without errors, the middle of the first object"


def test_the_letters_and_titles_of_a_case_of_three_slices_do_not_touch(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((3, 120, 120), (0.8, 0.8, 1))
    labels = np.zeros(geometry.shape_kji, np.uint8)
    labels[:, 30:90, 30:90] = 1
    case = Case("c", tmp_path, tmp_path, tmp_path, "CT", ((1, "liver"),))
    image = Volume(np.where(labels > 0, 60, -1000).astype(np.int16), geometry)
    write_picture(
        case, LoadedCase(image, Volume(labels, geometry), False), labels, "t", tmp_path / "p.jpg"
    )
    with Image.open(tmp_path / "p.jpg") as picture:
        width, height = picture.size
    assert height > 0.6 * width, "one image of the slices, and no strips"
