"""Scenes and autosave files of earlier versions still load; their text is written out here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from scene_helpers import add_volume_node, content, paint_segment

from MedSegFMLib import Box, Geometry, Point, Region, Volume
from MedSegFMLib.mrml.autosave import snapshot_from_json
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.scene_state import state_from_json, state_to_json

GEOMETRY = Geometry.from_spacing((6, 8, 10), (1.0, 2.0, 3.0))
_GRID = (
    '{"shape_kji": [6, 8, 10], "ijk_to_ras": [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], '
    "[0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]]}"
)
_MASK = '{"start_kji": [2, 2, 2], "shape_kji": [2, 3, 5], "bits": "eAE7ZtjzAAAFpwJk"}'
_PROMPTS = (
    '{"format": "medsegfm-prompts", "version": 1, "space": "RAS", "unit": "mm", "objects": '
    '[{"label": 1, "name": "spleen"}], "prompts": [{"object": 1, "type": "box", "center_ras": '
    '[2.5, 6.0, 7.5], "edges_ras": [[2.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 6.0]]}, '
    '{"object": 1, "type": "point", "position_ras": [6.0, 6.0, 9.0], "positive": true}]}'
)
STATE = (
    '{"format": "medsegfm-scene", "version": 1, "model": "graphcut", "seed": 7, "prompts": '
    f'{_PROMPTS}, "segments": {{"1": "Segment_1"}}, "answers": {{"1": {_MASK}}}, '
    f'"volume": {_GRID}}}'
)
AUTOSAVE = (
    f'{{"format": "medsegfm-autosave", "volume": "old volume", "grid": {_GRID}, "state": {STATE}, '
    f'"segments": {{"1": {_MASK}}}}}'
)


def old_mask() -> np.ndarray:
    mask = np.zeros(GEOMETRY.shape_kji, bool)
    mask[2:4, 2:5, 2:4] = True
    mask[3, 3, 6] = True
    return mask


def old_volume(scene: Any) -> Any:
    voxels = np.arange(6 * 8 * 10, dtype=np.int16).reshape(6, 8, 10)
    return add_volume_node(scene, Volume(voxels, GEOMETRY), "old volume")


def test_an_earlier_state_is_read_and_written_as_it_was() -> None:
    state = state_from_json(STATE)
    assert state.model == "randomwalk" and state.seed == 7 and state.segment_ids == {1: "Segment_1"}
    box, point = (prompt for _, prompt in state.prompts.entries)
    assert box == Box.from_ijk(GEOMETRY, (2, 2, 2), (4, 5, 4))
    assert point == Point.from_ijk(GEOMETRY, (6, 3, 3))
    whole = Region.whole(GEOMETRY.shape_kji)
    assert np.array_equal(state.model_voxels[1].on(whole), old_mask())
    assert state.answered_by == "randomwalk", "it was answered, though it does not say so"
    now = {"model": "randomwalk", "answered_by": "randomwalk"}
    assert json.loads(state_to_json(state)) == json.loads(STATE) | now


def test_an_earlier_state_without_an_answer_is_not_answered() -> None:
    state = state_from_json(STATE.replace(f'"answers": {{"1": {_MASK}}}', '"answers": {}'))
    assert state.answered_by is None


def test_an_earlier_scene_goes_on(logic: SegmentationLogic, scene: Any) -> None:
    volume_node = old_volume(scene)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "old segmentation")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    segmentation.GetSegmentation().AddEmptySegment("Segment_1", "spleen")
    for region in (Region((2, 2, 2), (4, 5, 4)), Region((3, 3, 6), (4, 4, 7))):
        paint_segment(segmentation, "Segment_1", GEOMETRY, region)
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "MedSegFM prompts of old volume")
    text.SetAttribute("MedSegFM.State", "1")
    text.SetNodeReferenceID("MedSegFM.Volume", volume_node.GetID())
    text.SetNodeReferenceID("MedSegFM.Segmentation", segmentation.GetID())
    text.SetText(STATE)
    logic.set_volume(volume_node)
    assert logic.model == "randomwalk" and len(logic.prompts.entries) == 2
    assert logic.segments.node is segmentation and np.array_equal(content(logic, 1), old_mask())
    logic.delete(1)
    logic.pump()
    box_alone = old_mask()
    box_alone[3, 3, 6] = False
    assert np.array_equal(content(logic, 1), box_alone), "the click's voxel was the model's"
    assert json.loads(text.GetText())["segments"] == {"1": "Segment_1"}


def test_an_earlier_autosave_is_recovered(logic: SegmentationLogic, scene: Any) -> None:
    logic.set_volume(old_volume(scene))
    logic.saved.recover(snapshot_from_json(AUTOSAVE))
    assert logic.prompts.name(1) == "spleen" and np.array_equal(content(logic, 1), old_mask())
