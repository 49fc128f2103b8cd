"""Scribbles and lassos that are drawn by dragging, with the events of a real interactor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from host.panel_driver import Desk

from MedSegFMLib.prompts.types import Lasso, Scribble


class SliceView:
    """An axial view of 100 x 100 pixels over 50 x 50 mm, and a user's mouse."""

    def __init__(self) -> None:
        import slicer
        from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

        self.interactor = vtkGenericRenderWindowInteractor()
        self.node = slicer.vtkMRMLSliceNode()
        slicer.mrmlScene.AddNode(self.node)
        self.node.SetDimensions(100, 100, 1)
        self.node.SetFieldOfView(50, 50, 1.5)
        self.node.JumpSlice(17, 15, 18)
        # What the view itself does with the mouse.
        self.seen: list[str] = []
        for event in ("LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent"):
            self.interactor.AddObserver(event, lambda _o, name: self.seen.append(name))

    def xy(self, ras: tuple[float, float, float]) -> tuple[int, int]:
        matrix = np.array(
            [[self.node.GetXYToRAS().GetElement(r, c) for c in range(4)] for r in range(4)]
        )
        x, y = (np.linalg.inv(matrix) @ (*ras, 1))[:2]
        return round(x), round(y)

    def drag(self, *places: tuple[float, float, float], release: bool = True) -> None:
        for n, place in enumerate(places):
            self.interactor.SetEventInformation(*self.xy(place))
            self.interactor.InvokeEvent("MouseMoveEvent" if n else "LeftButtonPressEvent")
        if release:
            self.interactor.InvokeEvent("LeftButtonReleaseEvent")


@pytest.fixture
def view(desk: Desk) -> SliceView:
    desk.load()
    found = SliceView()
    desk.panel.place_mode._freehand._views = lambda: [(found.interactor, found.node)]
    return found


def test_a_dragged_scribble_is_one_prompt_along_the_mouse(desk: Desk, view: SliceView) -> None:
    desk.ui.scribbleButton.click()
    assert "Drag along" in desk.ui.promptHint.text and desk.ui.scribbleButton.checked
    view.drag((13, 15, 18), (16, 15, 18), (19, 16, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    desk.wait()
    ((_, prompt),) = desk.panel.logic.prompts.entries
    assert isinstance(prompt, Scribble) and prompt.positive
    assert np.allclose(prompt.positions_ras, [(13, 15, 18), (16, 15, 18), (19, 16, 18)], atol=0.3)
    assert desk.mask()[12, 15, 16] and not desk.ui.scribbleButton.checked
    assert view.seen == [], "the view itself does nothing meanwhile"


def test_a_dragged_lasso_is_one_prompt(desk: Desk, view: SliceView) -> None:
    desk.ui.lassoButton.click()
    view.drag((13, 11, 18), (21, 11, 18), (21, 19, 18), (13, 19, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    ((_, prompt),) = desk.panel.logic.prompts.entries
    assert isinstance(prompt, Lasso)


def test_after_a_stroke_the_mouse_is_the_view_s_again(desk: Desk, view: SliceView) -> None:
    desk.ui.scribbleButton.click()
    view.drag((13, 15, 18), (19, 16, 18))
    view.drag((13, 15, 18), (19, 16, 18))
    assert view.seen == ["LeftButtonPressEvent", "MouseMoveEvent", "LeftButtonReleaseEvent"]
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)


def test_a_stroke_that_is_given_up_leaves_nothing(desk: Desk, view: SliceView) -> None:
    import slicer

    desk.ui.scribbleButton.click()
    view.drag((13, 15, 18), (19, 16, 18), release=False)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsCurveNode") == 1
    desk.ui.scribbleButton.click()
    desk.wait()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsCurveNode") == 0
    assert desk.ui.promptTable.rowCount == 0 and not desk.ui.scribbleButton.checked


def test_a_click_without_a_drag_is_one_sentence(desk: Desk, view: SliceView) -> None:
    desk.ui.lassoButton.click()
    view.drag((13, 15, 18))
    desk.wait(lambda: bool(desk.ui.statusLabel.text))
    assert desk.ui.promptTable.rowCount == 0


def test_without_the_tick_strokes_are_clicked_point_by_point(desk: Any, view: SliceView) -> None:
    desk.ui.freehand.click()
    assert not desk.panel.parameters.freehand
    desk.ui.scribbleButton.click()
    assert "double or right click" in desk.ui.promptHint.text
    desk.click_in_view((13, 15, 18))
    desk.click_in_view((19, 16, 18))
    desk.leave_place_mode()
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
