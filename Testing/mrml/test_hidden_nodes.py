"""Nodes that the user does not see are hidden before Slicer lists them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vtkmodules.util.misc import calldata_type
from vtkmodules.util.vtkConstants import VTK_OBJECT

from MedSegFMLib import Box
from MedSegFMLib.mrml.logic import SegmentationLogic
from MedSegFMLib.mrml.nodes.volume_nodes import volume_from_node


@pytest.fixture
def listed(scene: Any) -> list[tuple[Any, bool]]:
    """Each node that was added, and whether Slicer's selectors and Data tree listed it then."""
    found: list[tuple[Any, bool]] = []

    @calldata_type(VTK_OBJECT)
    def added(_scene: Any, _event: str, node: Any) -> None:
        found.append((node, not node.GetHideFromEditors()))

    scene.AddObserver(scene.NodeAddedEvent, added)
    return found


def test_no_row_appears_and_goes(
    logic: SegmentationLogic, scene: Any, plain: Any, listed: list[tuple[Any, bool]]
) -> None:
    logic.set_volume(plain)
    logic.consistency.switch(True)
    logic.add(Box.from_ijk(volume_from_node(plain).geometry, (3, 4, 2), (8, 9, 7)))
    for _ in range(4):
        logic.pump()
    assert logic.consistency.current is not None and logic.overlay.node is not None
    assert len(listed) > 8
    flashed = [node.GetName() for node, shown in listed if shown and node.GetHideFromEditors()]
    assert flashed == []


@pytest.mark.parametrize("saved", [True, False])
def test_the_users_choice_of_what_is_placed_next_stays(
    logic: SegmentationLogic, slicer_app: Any, scene: Any, plain: Any, saved: bool
) -> None:
    selection = slicer_app.app_logic.GetSelectionNode()
    own = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode") if saved else None
    chosen = (None, None) if own is None else (own.GetID(), own.GetClassName())
    selection.SetActivePlaceNodeID(chosen[0])
    selection.SetReferenceActivePlaceNodeClassName(chosen[1])
    logic.set_volume(plain)
    logic.add(Box.from_ijk(volume_from_node(plain).geometry, (3, 4, 2), (8, 9, 7)))
    logic.pump()
    assert np.any([n.startswith("vtkMRMLMarkupsROI") for n in _ids(scene)])
    place = (selection.GetActivePlaceNodeID(), selection.GetActivePlaceNodeClassName())
    assert place == chosen


def _ids(scene: Any) -> list[str]:
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]
