"""A layout with a row of three slice views for each model of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

import slicer

from ..nodes.while_saving import quietly

# The number of the layout in Slicer's list of them; Slicer's own are below 500.
LAYOUT = 7250
# Views of one group follow one another where they are linked; Slicer's own are in group 0.
_GROUP = 7250
_CLASS, _COMPOSITE = "vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"
ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
# The layout before ours is kept in its node: so it is known as well if a script saved the scene
# while ours was shown, which no event announces.
_BEFORE = "MedSegFM.LayoutBefore"
# Around an object so much of it is shown.
_WIDE, _LEAST_MM = 1.6, 40.0


class ModelRows:
    """Switches to the layout with rows, and back to the user's own.

    The slice nodes stay in the scene, unsaved, as those of any layout do that is not shown.

    Args:
        scene: The vtkMRMLScene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._given_back: tuple[str, int] | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the layout with rows is the present one."""
        layout = self._layout()
        return layout is not None and layout.GetViewArrangement() == LAYOUT

    def show(
        self, titles: Sequence[str], colors: Sequence[Sequence[float]], volume_node: Any
    ) -> list[list[str]]:
        """Show a row for each model; all show the volume, and move, zoom and turn together.

        Args:
            titles: The models' titles.
            colors: Their colours, red, green and blue from 0 to 1.
            volume_node: The volume.

        Returns:
            For each row the identifiers of its axial, coronal and sagittal view.
        """
        rows = [
            [self._view(n, orientation, title, color) for orientation in ORIENTATIONS]
            for n, (title, color) in enumerate(zip(titles, colors, strict=True))
        ]
        for node in (view for row in rows for view in row):
            composite = self._composite(node)
            composite.SetBackgroundVolumeID(volume_node.GetID())
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
        layout = self._layout() or self._scene.AddNewNodeByClass("vtkMRMLLayoutNode")
        text = description(titles, colors)
        if layout.IsLayoutDescription(LAYOUT):
            layout.SetLayoutDescription(LAYOUT, text)
        else:
            layout.AddLayoutDescription(LAYOUT, text)
        if layout.GetViewArrangement() != LAYOUT:
            layout.SetAttribute(_BEFORE, str(layout.GetViewArrangement()))
            layout.SetViewArrangement(LAYOUT)
        return [[view.GetID() for view in row] for row in rows]

    def frame(self, center_ras: Sequence[float], size_mm: float) -> None:
        """Move all rows to an object, as large as their views allow.

        Args:
            center_ras: The object's centre in RAS millimetres.
            size_mm: Its largest extent.
        """
        wide = max(_WIDE * size_mm, _LEAST_MM)
        for node in self.views():
            node.JumpSliceByCentering(*center_ras)
            width, height, _ = node.GetDimensions()
            step = wide / max(min(width, height), 1)
            node.SetFieldOfView(width * step, height * step, node.GetFieldOfView()[2])
            node.UpdateMatrices()

    def views(self) -> list[Any]:
        """The slice nodes of all rows, also of those that are not shown now."""
        count = self._scene.GetNumberOfNodesByClass(_CLASS)
        nodes = [self._scene.GetNthNodeByClass(n, _CLASS) for n in range(count)]
        return [node for node in nodes if node.GetViewGroup() == _GROUP]

    def restore(self) -> None:
        """Restore the user's layout; one that was chosen meanwhile stays."""
        layout = self._layout()
        before = None if layout is None else layout.GetAttribute(_BEFORE)
        if layout is None or before is None:
            return
        self._restore(layout, before)

    def give_back(self) -> None:
        """Restore it quietly: the scene is being saved, and the views stay as they are."""
        layout = self._layout()
        before = None if layout is None else layout.GetAttribute(_BEFORE)
        if layout is not None and before is not None:
            self._given_back = (before, layout.GetViewArrangement())
            with quietly(layout):
                self._restore(layout, before)

    def take_up(self) -> None:
        """Set the layout to that of the views again."""
        given_back, self._given_back = self._given_back, None
        layout = self._layout()
        if layout is not None and given_back is not None:
            with quietly(layout):
                layout.SetAttribute(_BEFORE, given_back[0])
                layout.SetViewArrangement(given_back[1])

    def _restore(self, layout: Any, before: str) -> None:
        layout.RemoveAttribute(_BEFORE)
        if self.is_shown:
            layout.SetViewArrangement(int(before))

    def _layout(self) -> Any | None:
        return self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")

    def _view(self, row: int, orientation: str, title: str, color: Sequence[float]) -> Any:
        tag = view_tag(row, orientation)
        node = self._scene.GetSingletonNode(tag, _CLASS)
        if node is None:
            node = self._scene.CreateNodeByClass(_CLASS)
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node.SetLayoutName(tag)
            node.SetName(tag)
            node.SetSaveWithScene(False)
            node = self._scene.AddNode(node)
            slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self._scene)
        node.SetViewGroup(_GROUP)
        node.SetLayoutLabel(title)
        node.SetLayoutColor(*color)
        node.SetOrientation(orientation)
        return node

    def _composite(self, view: Any) -> Any:
        """The node that holds which volume a view shows; Slicer finds it by the view's name."""
        tag = view.GetLayoutName()
        node = self._scene.GetSingletonNode(tag, _COMPOSITE)
        if node is None:
            node = self._scene.CreateNodeByClass(_COMPOSITE)
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node.SetLayoutName(tag)
            node.SetSaveWithScene(False)
            node = self._scene.AddNode(node)
        return node


def description(titles: Sequence[str], colors: Sequence[Sequence[float]]) -> str:
    """The layout as Slicer's XML."""
    rows = []
    for n, (title, color) in enumerate(zip(titles, colors, strict=True)):
        code = "#" + "".join(f"{round(255 * part):02x}" for part in color)
        views = "".join(
            f'<item><view class="{_CLASS}" singletontag="{view_tag(n, orientation)}">'
            f'<property name="orientation" action="default">{orientation}</property>'
            f'<property name="viewlabel" action="default">{escape(title)}</property>'
            f'<property name="viewcolor" action="default">{code}</property>'
            f'<property name="viewgroup" action="default">{_GROUP}</property></view></item>'
            for orientation in ORIENTATIONS
        )
        rows.append(f'<item><layout type="horizontal">{views}</layout></item>')
    return f'<layout type="vertical">{"".join(rows)}</layout>'


def view_tag(row: int, orientation: str) -> str:
    """The name of a view: row 0 is the first model's."""
    return f"MedSegFM{row + 1}{orientation}"
