"""What the user draws, drags and deletes becomes the prompt list, and the list is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import SessionClient, content

from MedSegFMLib import Box, Lasso, Line, Point, Scribble
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.updates import Warned


@pytest.fixture
def ready(logic: SegmentationLogic, plain: Any) -> SegmentationLogic:
    logic.set_volume(plain)
    logic.pump()
    return logic


def sentences(updates: list[Any]) -> list[str]:
    return [u.sentence for u in updates if isinstance(u, Warned)]


def markups(scene: Any, kind: str) -> list[Any]:
    name = f"vtkMRMLMarkups{kind}Node"
    return [scene.GetNthNodeByClass(n, name) for n in range(scene.GetNumberOfNodesByClass(name))]


def test_clicks_of_both_signs_are_taken_where_they_were_placed(ready: SegmentationLogic) -> None:
    ready.view.draft("point").AddControlPointWorld(3, 4, 5)
    ready.view.draft("point", positive=False).AddControlPointWorld(6, 4, 5)
    ready.pump()
    assert [p for _, p in ready.prompts.entries] == [Point((3, 4, 5)), Point((6, 4, 5), False)]
    colors = [
        ready.view.draft("point", s).GetDisplayNode().GetSelectedColor() for s in (True, False)
    ]
    assert colors[0] != colors[1]


def test_a_click_shows_in_the_segment(ready: SegmentationLogic) -> None:
    ready.view.draft("point").AddControlPointWorld(3, 8, 15)
    ready.pump()
    assert content(ready, 1)[5, 4, 3] and content(ready, 1).sum() == 1


def test_a_dragged_click_is_taken_when_it_is_let_go(ready: SegmentationLogic) -> None:
    node = ready.view.draft("point")
    node.AddControlPointWorld(3, 4, 5)
    ready.pump()
    node.InvokeEvent(node.PointStartInteractionEvent)
    node.SetNthControlPointPositionWorld(0, [9, 4, 5])
    ready.pump()
    assert ready.prompts.entries == ((1, Point((3, 4, 5))),)
    node.InvokeEvent(node.PointEndInteractionEvent)
    ready.pump()
    assert ready.prompts.entries == ((1, Point((9, 4, 5))),)
    ready.undo()
    assert tuple(node.GetNthControlPointPositionWorld(0)) == (3, 4, 5)


def test_a_deleted_click_is_deleted_and_undo_shows_it_again(ready: SegmentationLogic) -> None:
    node = ready.view.draft("point")
    for x in (3, 6, 9):
        node.AddControlPointWorld(x, 4, 5)
    ready.pump()
    node.RemoveNthControlPoint(1)
    ready.pump()
    assert [p.position_ras[0] for _, p in ready.prompts.entries] == [3, 9]
    ready.undo()
    assert node.GetNumberOfControlPoints() == 3


def test_a_drawn_box_is_taken_when_its_second_corner_is_placed(
    ready: SegmentationLogic, scene: Any
) -> None:
    node = ready.view.draft("box")
    ready.pump()
    assert not ready.prompts.entries
    node.SetCenterWorld([12, 10, 5])
    node.SetSizeWorld([9, 8, 4])
    ready.pump()
    ((_, box),) = ready.prompts.entries
    assert isinstance(box, Box) and np.allclose(box.center_ras, (12, 10, 5))
    assert markups(scene, "ROI") == [node]
    node.SetSizeWorld([12, 8, 4])
    ready.pump()
    assert len(ready.prompts.entries) == 1 and ready.prompts.entries[0][1] != box
    ready.undo()
    ready.undo()
    assert markups(scene, "ROI") == []
    ready.redo()
    assert len(markups(scene, "ROI")) == 1


def test_a_line_is_taken_at_its_second_end_and_follows_its_ends(
    ready: SegmentationLogic, scene: Any
) -> None:
    node = ready.view.draft("line")
    node.AddControlPointWorld(3, 4, 5)
    ready.pump()
    assert not ready.prompts.entries
    node.AddControlPointWorld(12, 4, 5)
    ready.pump()
    ((_, line),) = ready.prompts.entries
    assert line == Line(((3, 4, 5), (12, 4, 5)))
    node.SetNthControlPointPositionWorld(1, 15, 8, 5)
    ready.pump()
    ((_, moved),) = ready.prompts.entries
    assert isinstance(moved, Line) and moved.positions_ras[1] == (15, 8, 5)
    ready.undo()
    ready.undo()
    assert markups(scene, "Line") == []
    ready.redo()
    assert len(markups(scene, "Line")) == 1


def test_a_line_that_was_begun_is_dropped_with_the_next(
    ready: SegmentationLogic, scene: Any
) -> None:
    ready.view.draft("line").AddControlPointWorld(3, 4, 5)
    node = ready.view.draft("line")
    assert markups(scene, "Line") == [node]


def test_a_stroke_and_an_outline_are_taken_when_finished(ready: SegmentationLogic) -> None:
    stroke, outline = ready.view.draft("scribble"), ready.view.draft("lasso", positive=False)
    for node in (stroke, outline):
        for position in ((3, 4, 5), (12, 4, 5), (12, 12, 5)):
            node.AddControlPointWorld(*position)
    ready.pump()
    assert not ready.prompts.entries
    ready.view.finish(stroke)
    ready.view.finish(outline)
    ready.pump()
    kinds = {type(p): p.positive for _, p in ready.prompts.entries}
    assert kinds == {Scribble: True, Lasso: False}


def test_a_click_outside_is_told_and_taken_back(
    ready: SegmentationLogic, client: SessionClient
) -> None:
    node = ready.view.draft("point")
    node.AddControlPointWorld(3, 4, 5)
    node.AddControlPointWorld(500, 4, 5)
    told = sentences(ready.pump())
    assert len(told) == 1 and "outside the volume" in told[0]
    assert len(ready.prompts.entries) == 1 and node.GetNumberOfControlPoints() == 1


def test_a_box_outside_is_told_and_taken_back(ready: SegmentationLogic, scene: Any) -> None:
    node = ready.view.draft("box")
    node.SetCenterWorld([500, 10, 5])
    node.SetSizeWorld([9, 8, 4])
    assert "outside the volume" in sentences(ready.pump())[0]
    assert not ready.prompts.entries and markups(scene, "ROI") == []


def test_a_flat_box_is_told_and_taken_back(ready: SegmentationLogic, scene: Any) -> None:
    node = ready.view.draft("box")
    node.SetCenterWorld([12, 10, 5])
    node.SetSizeWorld([9, 8, 0])
    assert "longer than 0" in sentences(ready.pump())[0]
    assert markups(scene, "ROI") == []


def test_a_box_removed_from_the_scene_is_deleted(ready: SegmentationLogic, scene: Any) -> None:
    ready.add(Box.from_ras((3, 4, 2), (12, 12, 6)))
    ready.pump()
    scene.RemoveNode(markups(scene, "ROI")[0])
    ready.pump()
    assert not ready.prompts.entries
    ready.undo()
    assert len(markups(scene, "ROI")) == 1


def test_markups_are_not_saved_with_the_scene(ready: SegmentationLogic, scene: Any) -> None:
    ready.add(Point((3, 4, 5)))
    ready.add(Box.from_ras((3, 4, 2), (12, 12, 6)))
    nodes = markups(scene, "Fiducial") + markups(scene, "ROI")
    assert len(nodes) == 2 and not any(node.GetSaveWithScene() for node in nodes)


def only_box(scene: Any) -> Any:
    (node,) = markups(scene, "ROI")
    return node


@pytest.mark.parametrize("how", ["outside", "flat"])
def test_a_box_that_cannot_be_taken_where_it_was_dragged_goes_back(
    ready: SegmentationLogic, scene: Any, how: str
) -> None:
    ready.add(Box.from_ras((3, 4, 2), (12, 12, 6)))
    prompts = ready.prompts
    if how == "outside":
        only_box(scene).SetCenterWorld([500, 10, 5])
    else:
        only_box(scene).SetSizeWorld([9, 8, 0])
    assert len(sentences(ready.pump())) == 1
    assert np.allclose(only_box(scene).GetCenterWorld(), (7.5, 8, 4))
    assert np.allclose(only_box(scene).GetSize(), (9, 8, 4))
    assert ready.prompts == prompts and not sentences(ready.pump())


def test_a_reshaped_box_keeps_its_markup(ready: SegmentationLogic, scene: Any) -> None:
    ready.add(Box.from_ras((3, 4, 2), (12, 12, 6)))
    node = only_box(scene)
    node.SetCenterWorld([9, 8, 4])
    ready.pump()
    assert ready.prompts.entries[0][1].center_ras == pytest.approx((9, 8, 4))
    assert only_box(scene) is node


def test_undo_in_the_middle_of_a_drag_leaves_the_markups_alive(
    ready: SegmentationLogic, scene: Any
) -> None:
    ready.add(Box.from_ras((3, 4, 2), (12, 12, 6)))
    node = only_box(scene)
    node.InvokeEvent(node.PointStartInteractionEvent)
    node.SetCenterWorld([9, 8, 4])
    ready.undo()
    ready.view.draft("point").AddControlPointWorld(3, 4, 5)
    ready.pump()
    assert [p for _, p in ready.prompts.entries] == [Point((3, 4, 5))]


def test_a_box_that_was_begun_and_given_up_is_dropped(ready: SegmentationLogic, scene: Any) -> None:
    ready.view.draft("box").AddControlPointWorld(3, 4, 5)
    ready.pump()
    second = ready.view.draft("box")
    ready.pump()
    assert only_box(scene) is second and not ready.prompts.entries
