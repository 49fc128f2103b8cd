"""The volume that the panel segments if the user has not chosen one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from host.panel_driver import Desk


def add(name: str, class_name: str | None = None) -> Any:
    """A small volume in the scene."""
    import slicer

    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    return slicer.util.addVolumeFromArray(voxels, np.eye(4), name, class_name)


def test_a_volume_that_is_already_loaded_is_chosen_when_the_module_opens(bare: Any) -> None:
    node = add("CT")
    desk = Desk(bare)
    assert desk.panel.logic.volume_node is node
    assert desk.ui.volumeSelector.currentNode() is node and desk.ui.boxButton.enabled
    desk.close()


def test_the_volume_that_the_views_show_goes_before_the_first(bare: Any) -> None:
    from MedSegFMPanel.sample_data import show_volume

    add("first")
    second = add("second")
    show_volume(second)
    desk = Desk(bare)
    assert desk.panel.logic.volume_node is second
    desk.close()


def test_a_volume_that_is_loaded_later_is_chosen_too(desk: Any) -> None:
    node = add("CT")
    desk.wait()
    assert desk.panel.logic.volume_node is node
    add("another")
    desk.wait()
    assert desk.panel.logic.volume_node is node, "the user's volume stays"


def test_nothing_is_chosen_behind_another_module(desk: Any) -> None:
    desk.widget.parent.exit()
    node = add("CT")
    desk.wait()
    assert desk.panel.logic.volume_node is None
    desk.widget.parent.enter()
    assert desk.panel.logic.volume_node is node


@pytest.mark.parametrize("class_name", ["vtkMRMLLabelMapVolumeNode", "vtkMRMLVectorVolumeNode"])
def test_volumes_of_other_kinds_are_neither_offered_nor_chosen(bare: Any, class_name: str) -> None:
    import slicer

    other = slicer.mrmlScene.AddNewNodeByClass(class_name, "labels")
    other.SetAndObserveImageData(add("CT").GetImageData())
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("CT"))
    desk = Desk(bare)
    assert desk.ui.volumeSelector.nodeCount() == 0
    assert desk.panel.parameters.volume is None
    node = add("CT")
    desk.wait()
    assert desk.ui.volumeSelector.nodeCount() == 1 and desk.panel.logic.volume_node is node
    desk.close()


def test_a_hidden_volume_is_not_chosen_and_one_without_voxels_comes_last(bare: Any) -> None:
    import slicer

    add("hidden").SetHideFromEditors(True)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    desk = Desk(bare)
    assert desk.panel.logic.volume_node is None and "empty" in desk.ui.volumeHint.text
    desk.close()
    empty.SetName("still empty")
    node = add("CT")
    desk = Desk(bare)
    desk.panel.parameters.volume = None
    desk.wait()
    assert desk.panel.logic.volume_node is node
    desk.close()


def test_a_single_slice_comes_after_a_volume(bare: Any) -> None:
    import slicer

    flat = np.zeros((1, 5, 6), np.int16)
    slicer.util.addVolumeFromArray(flat, np.eye(4), "radiograph")
    node = add("CT")
    desk = Desk(bare)
    assert desk.panel.logic.volume_node is node and desk.ui.volumeHint.isHidden()
    desk.close()
