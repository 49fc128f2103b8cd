"""Sheared volumes in sessions: models get right angles, users keep their own voxels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_model import Bright
from sample_volumes import ball_mask, sheared_ball, sheared_grid

from MedSegFMLib import Box, Geometry, Mask, Point, Prediction, Region, Session, Volume, create
from MedSegFMLib.consistency import PlaneViews, measure
from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.metrics import dice
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation
from MedSegFMLib.volumes.segmentations.treatment import Treatment, treated
from MedSegFMLib.worker.events import Request
from MedSegFMLib.worker.model_host import ModelHost


def one_object(*prompts: Prompt) -> PromptList:
    listed = PromptList().with_object("ball")
    for prompt in prompts:
        listed = listed.added(1, prompt)
    return listed


@pytest.mark.parametrize("tilt", [0.9, -1.7])
def test_the_model_gets_right_angles_and_the_answer_is_on_the_volumes_own_voxels(
    directions: np.ndarray, tilt: float
) -> None:
    volume, mask, box = sheared_ball(directions, tilt)
    before = volume.array_kji.copy()
    model = Bright()
    session = Session(model, volume)
    session.add(box)
    answer = session.predict()
    assert not any(given.is_sheared for given in model.grids)
    assert answer.geometry == volume.geometry and session.labelmap().geometry == volume.geometry
    assert dice(mask, answer.mask.array_kji > 0) > 0.9
    assert np.array_equal(volume.array_kji, before)


def test_a_nearly_right_angled_volume_keeps_its_voxels(directions: np.ndarray) -> None:
    volume, mask, box = sheared_ball(directions, 0.004)
    model = Bright()
    session = Session(model, volume)
    session.add(box)
    answer = session.predict()
    assert volume.geometry.is_sheared and not model.grids[0].is_sheared
    assert model.volume.array_kji is volume.array_kji
    assert answer.geometry == volume.geometry
    upright = Geometry.from_spacing(volume.geometry.shape_kji, (0.9, 0.9, 3.0))
    plain = Session(Bright(), Volume(volume.array_kji, upright))
    low, high = np.argwhere(mask).min(axis=0)[::-1], np.argwhere(mask).max(axis=0)[::-1] + 1
    plain.add(Box.from_ijk(upright, low, high))
    assert np.array_equal(answer.mask.array_kji, plain.predict().mask.array_kji)


@pytest.mark.parametrize("model", ["randomwalk", "ensam"])
def test_models_find_the_ball_by_box_and_click(directions: np.ndarray, model: str) -> None:
    volume, mask, box = sheared_ball(directions)
    session = Session(create(model), volume)
    session.add(box)
    assert dice(mask, session.predict().mask.array_kji > 0) > 0.75
    outside = (3, 12, 5)
    session.add(Point.from_ijk(volume.geometry, outside[::-1], positive=True))
    assert session.predict().mask.array_kji[outside]


def test_every_voxel_up_to_the_faces_of_the_volume_can_be_clicked(directions: np.ndarray) -> None:
    volume, _, _ = sheared_ball(directions)
    faces = volume.geometry.ras_from_ijk(volume.geometry.corners_ijk(edge=0.45))
    for place in faces:
        session = Session(Bright(), volume)
        session.add(Point(tuple(place.tolist())))
        voxel = np.rint(volume.geometry.ijk_from_ras(place)).astype(int)[::-1]
        assert session.predict().mask.array_kji[tuple(voxel)]


def test_a_mask_to_start_from_and_what_is_frozen_or_avoided_stay_to_the_voxel(
    directions: np.ndarray,
) -> None:
    volume, mask, _ = sheared_ball(directions)
    geometry = volume.geometry
    drawn = ball_mask(geometry, 5.0)
    drawn[6] = False
    session = Session(Bright("prompts"), volume)
    session.add(Mask.from_array(drawn, geometry))
    assert np.array_equal(session.predict().mask.array_kji > 0, drawn)
    session.reset()
    kept = np.zeros_like(mask)
    kept[7, 10:14, 9:13] = True
    session.add(Mask.from_array(mask, geometry))
    session.add(Mask.from_array(kept, geometry, role="avoid"))
    session.freeze(Region((0, 0, 0), (5, *geometry.shape_kji[1:])))
    session.add(Point.from_ijk(geometry, (3, 3, 8), positive=True))
    found = session.predict().mask.array_kji > 0
    assert not (found & kept).any()
    assert np.array_equal(found[:5], mask[:5])


def test_a_model_that_goes_on_from_its_answer_gets_it_on_its_own_grid(
    directions: np.ndarray,
) -> None:
    volume, mask, box = sheared_ball(directions)
    model = Bright("previous")
    session = Session(model, volume)
    session.add(box)
    session.predict()
    session.add(Point.from_ijk(volume.geometry, (11, 12, 7), positive=True))
    session.predict()
    _, previous = model.given[-1]
    assert previous is not None and not previous.geometry.is_sheared
    back = Volume(previous.mask.array_kji, previous.geometry).resample(volume.geometry, order=0)
    assert dice(mask, back.array_kji > 0) > 0.85


def test_clicks_that_the_answer_agrees_with_change_no_voxel_of_a_sheared_volume(
    directions: np.ndarray,
) -> None:
    volume, _, box = sheared_ball(directions)
    session = Session(create("ensam"), volume)
    session.add(box)
    # With a click, which may enlarge the region of the box.
    session.add(Point.from_ijk(volume.geometry, (8, 12, 7)))
    first = session.predict().mask.array_kji
    for i in range(9, 13):
        assert first[7, 12, i]
        session.add(Point.from_ijk(volume.geometry, (i, 12, 7)))
        assert np.array_equal(session.predict().mask.array_kji, first)


def test_a_model_goes_on_from_its_answer_to_a_sheared_volume_as_it_gave_it(
    directions: np.ndarray,
) -> None:
    answers: list[Prediction] = []

    class Keeping(Bright):
        """A model that keeps its answers."""

        def predict(self, *given: Any) -> Prediction:
            answers.append(super().predict(*given))
            return answers[-1]

    volume, _, box = sheared_ball(directions)
    model = Keeping("previous")
    session = Session(model, volume)
    session.add(box)
    session.add(Point.from_ijk(volume.geometry, (11, 12, 7), positive=False))
    session.predict()
    assert [previous for _, previous in model.given] == [None, answers[0]]


def test_planes_and_spots_are_on_the_volumes_own_voxels(directions: np.ndarray) -> None:
    volume, _, box = sheared_ball(directions)
    session = Session(create("randomwalk"), volume)
    session.add(box)
    answer = PlaneViews(session).predict_all()[1]
    assert len(answer.planes) == 3
    assert {plane.shape for plane in answer.planes.values()} == {answer.logits_kji.shape}
    found = measure(answer, session.prompts.steps(1)[-1])
    assert found.agreement is not None and found.agreement > 0.7


def test_the_worker_answers_on_the_volumes_own_voxels(directions: np.ndarray) -> None:
    volume, mask, box = sheared_ball(directions)
    host = ModelHost()
    host.put(volume)
    answers, _ = host.predict(Request("randomwalk", one_object(box)), no_progress, print)
    found = np.zeros_like(mask)
    region = answers[1].region
    assert region is not None
    found[region.slices] = answers[1].mask_kji
    assert dice(mask, found) > 0.9


def test_a_case_of_an_evaluation_is_scored_at_right_angles(
    directions: np.ndarray, tmp_path: Path
) -> None:
    volume, mask, _ = sheared_ball(directions)
    volume.write(tmp_path / "image.nrrd")
    volume.with_array(mask.astype(np.uint8)).write(tmp_path / "label.nrrd")
    case = Case(
        "tilt", tmp_path, tmp_path / "image.nrrd", tmp_path / "label.nrrd", "CT", ((1, "ball"),)
    )
    loaded = load_case(case)
    assert not loaded.image.geometry.is_sheared and loaded.resampled
    assert loaded.label.geometry == loaded.image.geometry
    assert dice(loaded.image.array_kji > 50, loaded.label.array_kji > 0) > 0.95


def test_smoothing_is_in_millimetres_on_a_sheared_grid(directions: np.ndarray) -> None:
    shape, upright = (30, 40, 40), (1.0, 1.0, 1.0)
    spikes: list[Sequence[float]] = []
    for tilt in (0.0, 0.7):
        grid = sheared_grid(shape, directions, upright, tilt)
        labels = Volume(ball_mask(grid, 9.0).astype(np.uint8), grid)
        made = treated(Segmentation.from_labelmap(labels), Treatment(smooth_mm=3.0))
        inside = np.argwhere(made.segments[0].on(grid))[:, ::-1]
        extent = np.ptp(grid.ras_from_ijk(inside), axis=0)
        spikes.append(np.sort(extent).tolist())
    assert np.abs(np.subtract(*spikes)).max() <= 2.0
