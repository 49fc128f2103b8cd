"""A real case with the default model in a real worker, from the volume to the saved scene."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_volumes import make_blob
from scene_helpers import add_volume_node, content
from waiting import wait_until

from MedSegFMLib import Box, Geometry, Point, Session, Volume, create
from MedSegFMLib.metrics import dice
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Written
from MedSegFMLib.simulate import box_around, next_click
from MedSegFMLib.worker.client import LocalLauncher, WorkerClient
from MedSegFMLib.worker.events import Failed


def wait_for_answer(logic: SegmentationLogic) -> None:
    updates: list[Any] = []

    def is_there() -> bool:
        updates.extend(logic.pump())
        assert not [u for u in updates if isinstance(u, Failed)]
        return any(isinstance(u, Written) for u in updates) and not logic.is_predicting

    wait_until(is_there, describe=lambda: updates)


def read_case(folder: Path, name: str) -> tuple[Volume, np.ndarray]:
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    case = next(c for c in cases if c["name"] == name)
    volume = Volume.read(folder / case["image"])
    label = Volume.read(folder / case["label"]).resample(volume.geometry, order=0)
    return volume, label.array_kji == int(next(iter(case["objects"])))


def test_volume_box_click_segment_undo_save_load_replay(
    slicer_app: Any,
    scene: Any,
    real_data: Path,
    tmp_path: Path,
    monkeypatch: Any,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    volume, truth = read_case(real_data, "ct_spleen_msd2")
    logic = SegmentationLogic(
        scene,
        lambda _host: WorkerClient(LocalLauncher()),
        slicer_app.app_logic,
        slicer_app.terminologies_logic,
    )
    try:
        logic.set_volume(add_volume_node(scene, volume, "ct"))
        logic.objects.add("spleen")
        start_kji, stop_kji = box_around(truth, jitter=0.05, seed=0)
        logic.add(Box.from_ijk(volume.geometry, start_kji[::-1], stop_kji[::-1]))
        wait_for_answer(logic)
        boxed = content(logic, 1)
        assert dice(truth, boxed) > 0.65
        position_kji, positive = next_click(truth, boxed, seed=0)
        logic.add(Point.from_ijk(volume.geometry, position_kji[::-1], positive))
        wait_for_answer(logic)
        clicked = content(logic, 1)
        assert not np.array_equal(clicked, boxed)
        logic.undo()
        assert np.array_equal(content(logic, 1), boxed)
        logic.redo()
        assert np.array_equal(content(logic, 1), clicked)
        prompts = logic.prompts

        path = tmp_path / "case.mrb"
        assert scene.WriteToMRB(str(path))
        scene.Clear(False)
        logic.pump()
        (tmp_path / "unpacked").mkdir()
        slicer_app.app_logic.OpenSlicerDataBundle(str(path), str(tmp_path / "unpacked"))
        logic.pump()
        assert logic.prompts == prompts and np.array_equal(content(logic, 1), clicked)
        logic.predict()
        wait_for_answer(logic)
        assert np.array_equal(content(logic, 1), clicked)
        logic.delete(1)
        wait_for_answer(logic)
        assert np.array_equal(content(logic, 1), boxed)
        logic.set_model("ellipsoid")
        wait_for_answer(logic)
        assert not np.array_equal(content(logic, 1), clicked)
    finally:
        logic.close()


def real_logic(app: Any, scene: Any) -> SegmentationLogic:
    return SegmentationLogic(scene, lambda _host: WorkerClient(LocalLauncher()), app.app_logic)


def test_a_hundred_prompts_while_the_worker_starts_give_what_a_session_gives(
    slicer_app: Any, scene: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    volume, mask = make_blob(Geometry.from_spacing((20, 24, 28), (1.0, 1.0, 2.0)))
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, volume.geometry.shape_kji, (100, 3))
    clicks = [Point.from_ijk(volume.geometry, v[::-1], bool(mask[tuple(v)])) for v in voxels]
    clicks.sort(key=lambda point: not point.positive)
    logic = real_logic(slicer_app, scene)
    try:
        logic.set_volume(add_volume_node(scene, volume))
        for point in clicks:
            logic.add(point)
            logic.pump()
        wait_for_answer(logic)
        session = Session(create(logic.model), volume)
        session.change(logic.prompts)
        assert len(logic.prompts.entries) == 100
        assert np.array_equal(content(logic, 1), session.predict().mask.array_kji > 0)
    finally:
        logic.close()


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8])
def test_a_scene_closed_while_the_worker_loads_or_predicts_leaves_nothing_behind(
    slicer_app: Any, scene: Any, seconds: float
) -> None:
    volume, _ = make_blob(Geometry.from_spacing((20, 24, 28), (1.0, 1.0, 2.0)))
    logic = real_logic(slicer_app, scene)
    try:
        logic.set_volume(add_volume_node(scene, volume))
        logic.add(Box.from_ijk(volume.geometry, (8, 7, 6), (20, 17, 14)))
        time.sleep(seconds)
        scene.Clear(False)
        updates = logic.pump()
        assert not any(isinstance(u, Written) for u in updates)
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
        logic.set_volume(add_volume_node(scene, volume))
        logic.add(Box.from_ijk(volume.geometry, (8, 7, 6), (20, 17, 14)))
        wait_for_answer(logic)
        assert content(logic, 1).any()
    finally:
        logic.close()


def test_the_real_worker_compares_the_planes_after_its_answer_and_takes_its_own_suggestion(
    slicer_app: Any, scene: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    volume, _ = make_blob(Geometry.from_spacing((20, 24, 28), (1.0, 1.0, 2.0)), noise=40)
    logic = real_logic(slicer_app, scene)
    try:
        logic.consistency.switch(True)
        logic.set_volume(add_volume_node(scene, volume))
        logic.add(Point.from_ijk(volume.geometry, (10, 9, 7)))
        wait_for_answer(logic)
        mask = content(logic, 1)
        assert mask.any() and logic.consistency.current is None
        for _ in range(2):

            def is_compared() -> bool:
                logic.pump()
                return not (logic.is_predicting or logic.consistency.is_measuring)

            wait_until(is_compared)
            found = logic.consistency.current
            assert found is not None and set(found.masks) == {"axial", "coronal", "sagittal"}
            assert found.agreement is not None and 0 <= found.agreement <= 1
            if len(logic.prompts.entries) == 1:
                assert np.array_equal(content(logic, 1), mask)
                spot = found.suggestion
                assert spot is not None and logic.questions.answer_doubt(spot.positive)
        assert content(logic, 1)[spot.click_kji] == spot.positive
        assert found.suggestion is None or found.suggestion.click_kji != spot.click_kji
    finally:
        logic.close()
