"""Prompts live with the scene, and with an autosave beside it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_helpers import (
    SessionClient,
    add_volume_node,
    content,
    paint,
    slicer_content,
)

from MedSegFMLib import Box, Geometry, Point, Region, Volume
from MedSegFMLib.errors import PromptError
from MedSegFMLib.mrml import autosave as autosave_module
from MedSegFMLib.mrml.autosave import Autosave, snapshot_from_json, snapshot_to_json
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.scene_state import (
    SceneState,
    state_from_json,
    state_to_json,
    voxels_from_json,
    voxels_to_json,
)
from MedSegFMLib.mrml.segments.model_voxels import ModelVoxels
from MedSegFMLib.mrml.updates import Warned
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.voxels import box_region


def work(logic: SegmentationLogic, node: Any) -> None:
    """A box and a click for one object, a box for another, and some painting by hand."""
    logic.set_volume(node)
    geometry = logic.volume.geometry
    logic.objects.add("spleen")
    logic.add(Box.from_ijk(geometry, (2, 2, 2), (6, 6, 6)))
    logic.add(Point.from_ijk(geometry, (7, 3, 3)))
    logic.objects.add("liver")
    logic.add(Box.from_ijk(geometry, (9, 9, 7), (12, 12, 10)))
    logic.pump()
    paint(logic, 1, Region((9, 9, 2), (10, 10, 4)))


@pytest.mark.parametrize("kind", ["folder", "bundle"])
def test_a_saved_scene_goes_on_where_it_was(
    logic: SegmentationLogic,
    client: SessionClient,
    slicer_app: Any,
    scene: Any,
    plain: Any,
    tmp_path: Path,
    kind: str,
) -> None:
    logic.set_model("randomwalk")
    work(logic, plain)
    before = {n: content(logic, n) for n in (1, 2)}
    prompts = logic.prompts
    if kind == "bundle":
        path = tmp_path / "scene.mrb"
        assert scene.WriteToMRB(str(path))
    else:
        (tmp_path / "data").mkdir()
        slicer_app.app_logic.SaveSceneToSlicerDataBundleDirectory(str(tmp_path / "data"), None)
        path = next((tmp_path / "data").glob("*.mrml"))
    scene.Clear(False)
    logic.pump()
    assert logic.volume_node is None and not logic.prompts.objects
    if kind == "bundle":
        (tmp_path / "unpacked").mkdir()
        slicer_app.app_logic.OpenSlicerDataBundle(str(path), str(tmp_path / "unpacked"))
    else:
        scene.SetURL(str(path))
        scene.Import()
    logic.pump()
    assert logic.prompts == prompts and logic.volume_node.GetName() == "volume"
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 2
    for label, mask in before.items():
        assert np.array_equal(content(logic, label), mask)
    asked = len(client.requests)
    logic.delete(1)
    logic.pump()
    assert len(client.requests) == asked + 1
    before[1][3, 3, 7] = False
    assert np.array_equal(content(logic, 1), before[1])
    logic.undo()
    before[1][3, 3, 7] = True
    assert np.array_equal(content(logic, 1), before[1])
    logic.set_model("ensam")
    assert client.requests[-1].model == "ensam" and client.requests[-1].prompts == prompts


def test_a_saved_scene_goes_on_in_every_orientation(
    logic: SegmentationLogic, slicer_app: Any, scene: Any, volume_node: Any, tmp_path: Path
) -> None:
    logic.set_volume(volume_node)
    box = Box.from_ijk(logic.volume.geometry, (2, 3, 1), (7, 9, 6))
    logic.add(box)
    logic.add(Point.from_ijk(logic.volume.geometry, (9, 11, 7)))
    logic.pump()
    prompts = logic.prompts
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    logic.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(
        str(tmp_path / "scene.mrb"), str(tmp_path / "unpacked")
    )
    logic.pump()
    assert logic.prompts == prompts
    logic.delete(1)
    logic.pump()
    # Slicer's files hold a left-handed volume with an axis reversed.
    expected = np.zeros(logic.volume.geometry.shape_kji, bool)
    expected[box_region(box, logic.volume.geometry).slices] = True
    assert np.array_equal(slicer_content(logic, 1), expected)


def test_each_volume_keeps_its_own_prompts(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    work(logic, plain)
    prompts, mask = logic.prompts, content(logic, 1)
    other = add_volume_node(
        scene, Volume(np.arange(4**3).reshape(4, 4, 4), Geometry((4, 4, 4), np.eye(4))), "other"
    )
    logic.set_volume(other)
    assert not logic.prompts.objects
    logic.add(Point((1, 1, 1)))
    logic.pump()
    logic.set_volume(plain)
    assert logic.prompts == prompts and np.array_equal(content(logic, 1), mask)
    logic.set_volume(other)
    assert len(logic.prompts.entries) == 1


def test_a_damaged_state_is_told_and_the_scene_opens(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    work(logic, plain)
    other = SegmentationLogic(scene, lambda _host: SessionClient())
    for n in range(scene.GetNumberOfNodesByClass("vtkMRMLTextNode")):
        scene.GetNthNodeByClass(n, "vtkMRMLTextNode").SetText('{"format": "medsegfm-scene"}')
    other.set_volume(plain)
    (warned,) = [u for u in other.pump() if isinstance(u, Warned)]
    assert "incomplete or damaged" in warned.sentence and other.volume_node is plain
    other.close()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "x", "version": 1}'])
def test_other_texts_are_no_state(text: str) -> None:
    with pytest.raises(PromptError):
        state_from_json(text)


def test_a_mask_comes_back_and_a_bomb_does_not() -> None:
    mask = np.random.default_rng(0).random((5, 6, 7)) > 0.5
    item = voxels_to_json(ModelVoxels(Region((1, 2, 3), (6, 8, 10)), mask))
    found = voxels_from_json(item)
    assert np.array_equal(found.mask_kji, mask) and found.region.start_kji == (1, 2, 3)
    for shape in ((2, 2, 2), (50, 60, 70)):
        with pytest.raises(PromptError, match="stored mask"):
            voxels_from_json({**item, "shape_kji": shape})


def test_work_is_recovered_after_a_crash(
    slicer_app: Any, scene: Any, plain: Any, tmp_path: Path
) -> None:
    first = SegmentationLogic(
        scene, lambda _host: SessionClient(), autosave=Autosave(tmp_path, seconds=0)
    )
    work(first, plain)
    first.undo()
    first.redo()
    first.pump()
    masks = {n: content(first, n) for n in (1, 2)}
    prompts, values = first.prompts, first.volume
    scene.Clear(False)
    first.close()
    again = SegmentationLogic(scene, lambda _host: SessionClient())
    again.set_volume(add_volume_node(scene, values, "volume"))
    snapshot = Autosave(tmp_path).read()
    assert snapshot is not None and snapshot.volume_name == "volume"
    again.saved.recover(snapshot)
    assert again.prompts == prompts
    for label, mask in masks.items():
        assert np.array_equal(content(again, label), mask)
    again.delete(2)
    again.pump()
    assert not content(again, 2).any() and np.array_equal(content(again, 1), masks[1])
    again.close()


def test_work_on_a_finer_grid_is_recovered(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    coarse = logic.volume.geometry
    fine = coarse.resampled([mm / 2 for mm in coarse.spacing_ijk_mm])
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "fine")
    node.SetReferenceImageGeometryParameterFromVolumeNode(
        add_volume_node(scene, Volume(np.zeros(fine.shape_kji, np.int16), fine))
    )
    logic.use_segmentation(node)
    logic.add(Box.from_ijk(coarse, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    mask = content(logic, 1)
    snapshot = snapshot_from_json(snapshot_to_json(logic.saved.snapshot()))
    logic.saved.recover(snapshot)
    assert logic.segments.node is not node and mask.sum() == 8**3
    assert np.array_equal(content(logic, 1), mask)


def test_a_scene_whose_last_volume_was_deleted_goes_on_with_another(
    logic: SegmentationLogic, slicer_app: Any, scene: Any, plain: Any, tmp_path: Path
) -> None:
    work(logic, plain)
    prompts = logic.prompts
    other = Volume(np.arange(4**3).reshape(4, 4, 4), Geometry((4, 4, 4), np.eye(4)))
    logic.set_volume(add_volume_node(scene, other, "other"))
    logic.add(Point((1, 1, 1)))
    logic.pump()
    scene.RemoveNode(logic.volume_node)
    logic.pump()
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    scene.Clear(False)
    logic.pump()
    (tmp_path / "unpacked").mkdir()
    slicer_app.app_logic.OpenSlicerDataBundle(
        str(tmp_path / "scene.mrb"), str(tmp_path / "unpacked")
    )
    logic.pump()
    assert logic.prompts == prompts


def test_recovery_for_another_volume_is_refused(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    work(logic, plain)
    snapshot = snapshot_from_json(snapshot_to_json(logic.saved.snapshot()))
    other = Volume(np.arange(4**3).reshape(4, 4, 4), Geometry((4, 4, 4), np.eye(4)))
    logic.set_volume(add_volume_node(scene, other))
    with pytest.raises(PromptError, match="choose that volume first"):
        logic.saved.recover(snapshot)


def test_a_full_disk_is_told_once_and_work_goes_on(
    scene: Any, plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logic = SegmentationLogic(
        scene, lambda _host: SessionClient(), autosave=Autosave(tmp_path, seconds=0)
    )
    work(logic, plain)
    logic.pump()
    saved = (tmp_path / "medsegfm-autosave.json").read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(autosave_module, "write_text", full)
        told = []
        for x in (3, 4):
            logic.add(Point.from_ijk(logic.volume.geometry, (x, 0, 0)))
            told += [u.sentence for u in logic.pump() if isinstance(u, Warned)]
    assert len(told) == 1 and "Your work goes on" in told[0] and "No space left" in told[0]
    assert (tmp_path / "medsegfm-autosave.json").read_text(encoding="utf-8") == saved
    assert content(logic, 2)[0, 0, 3] and content(logic, 2)[0, 0, 4]
    logic.close()


def test_a_damaged_autosave_is_refused(tmp_path: Path) -> None:
    saver = Autosave(tmp_path)
    assert saver.read() is None
    saver.path.write_text("{")
    with pytest.raises(PromptError, match="remove it"):
        saver.read()
    saver.discard()
    assert saver.read() is None


def test_a_scene_holds_the_options_of_its_model() -> None:
    options = {"size": "1024", "seed": 3, "weights": "a/b.pt"}
    by = "sam=a/b.pt?size=1024"
    state = state_from_json(
        state_to_json(SceneState(PromptList(), "sam", answered_by=by, options=options))
    )
    assert (state.options, state.answered_by) == (options, by)
    # Scenes of earlier versions do not record them.
    assert state_from_json(state_to_json(SceneState(PromptList(), "sam"))).options is None
    assert (
        state_from_json(
            state_to_json(SceneState(PromptList(), "sam", answered_by="graphcut?refine=no"))
        ).answered_by
        == "randomwalk?refine=no"
    )


def test_a_scene_that_names_a_model_by_its_earlier_name_goes_on_with_it() -> None:
    text = state_to_json(SceneState(PromptList(), "graphcut"))
    assert state_from_json(text).model == "randomwalk"


def test_a_scene_names_no_server_and_that_of_another_scene_is_not_used(
    logic: SegmentationLogic, scene: Any, plain: Any
) -> None:
    logic.set_volume(plain)
    logic.set_model("nninteractive", server="http://mine:1", key="secret", box="2")
    logic.add(Box.from_ijk(logic.require_volume().geometry, (2, 2, 2), (6, 6, 6)))
    logic.pump()
    node = scene.GetFirstNodeByClass("vtkMRMLTextNode")
    assert "mine" not in node.GetText() and "secret" not in node.GetText()
    assert json.loads(node.GetText())["options"] == {"box": "2"}
    logic.set_volume(None)
    theirs = {**json.loads(node.GetText()), "options": {"server": "http://evil", "box": "3"}}
    node.SetText(json.dumps(theirs))
    logic.set_volume(plain)
    own = {"server": "http://mine:1", "key": "secret"}
    assert logic.options == {**own, "box": "3"}, "the user's own stay"
    logic.set_volume(None)
    logic.set_model("ensam")
    logic.set_volume(plain)
    assert logic.options == {"box": "3"}
