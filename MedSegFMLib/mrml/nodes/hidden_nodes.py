"""Nodes of our own: in no selector, most never saved, and removed when not needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def add_helper(scene: Any, class_name: str, name: str, tag: str = "", saved: bool = False) -> Any:
    """A new node in the scene that is not offered to the user.

    Args:
        scene: The vtkMRMLScene.
        class_name: The class of the node.
        name: Its name.
        tag: Makes it the only node of that tag, with an identifier of its own; "" for no tag.
        saved: Whether it is saved with the scene.
    """
    node = scene.CreateNodeByClass(class_name)
    # The scene holds it from here on; Python would keep what it created for ever.
    node.UnRegister(None)
    node.SetName(name)
    if tag:
        node.SetSingletonTag(tag)
    # Before it is added: what lists nodes asks only then.
    node.SetSaveWithScene(saved)
    node.SetHideFromEditors(True)
    with same_place_node(scene):
        return scene.AddNode(node)


def add_display(node: Any) -> Any:
    """The display node of a helper node, which is not saved either."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetHideFromEditors(True)
    return display


@contextmanager
def same_place_node(scene: Any) -> Iterator[None]:
    """Keep the user's choice of what is placed next: Slicer chooses each markup that is added."""
    selection = scene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode")
    if selection is None:
        yield
        return
    node_id, class_name = selection.GetActivePlaceNodeID(), selection.GetActivePlaceNodeClassName()
    yield
    if selection.GetActivePlaceNodeID() != node_id:
        selection.SetReferenceActivePlaceNodeClassName(class_name)
        selection.SetActivePlaceNodeID(node_id)


def is_in(scene: Any, node: Any | None) -> bool:
    """Whether a node is there and still part of the scene."""
    return node is not None and scene.GetNodeByID(node.GetID() or "") is node


def remove(scene: Any, *nodes: Any | None) -> None:
    """Remove nodes from the scene; None and those that are not in it are ignored."""
    for node in nodes:
        if node is not None and is_in(scene, node):
            scene.RemoveNode(node)
