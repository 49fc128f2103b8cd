"""Stand-ins for the widgets of CTK and Slicer that the panel uses, with what the desktop's do."""

from __future__ import annotations

from functools import cache
from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .pythonqt import PythonQtWays, qt_class

_HEADER_PIXELS = 22


class ctkCollapsibleButton(PythonQtWays, QtWidgets.QWidget):
    """A header that shows and hides what lies below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, _HEADER_PIXELS, 0, 0)

    def _set_text(self, text: str) -> None:
        self._text = text

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._show_children()
        self.contentsCollapsed.emit(collapsed)

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def _show_children(self) -> None:
        for child in self.findChildren(
            QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly
        ):
            child.setVisible(not self._collapsed)
        self.setMaximumHeight(_HEADER_PIXELS if self._collapsed else 16777215)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        if self._collapsed:
            self._show_children()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if event.position().y() < _HEADER_PIXELS:
            self.collapsed = not self._collapsed

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        header = QtCore.QRect(0, 0, QtWidgets.QWidget.width(self), _HEADER_PIXELS - 3)
        painter.fillRect(header, QtWidgets.QWidget.palette(self).button().color().darker(108))
        arrow = "▸" if self._collapsed else "▾"
        painter.drawText(
            header.adjusted(8, 0, 0, 0),
            int(QtCore.Qt.AlignmentFlag.AlignVCenter),
            f"{arrow}  {self._text}",
        )


class qMRMLWidget(PythonQtWays, QtWidgets.QWidget):
    """A widget that knows a scene."""

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)


class qMRMLNodeComboBox(PythonQtWays, QtWidgets.QComboBox):
    """A list of the scene's nodes of some types."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._types: list[str] = []
        self._none = False
        self._scene: Any = None
        self._shown: str | None = None
        self._tags: list[int] = []
        self.currentIndexChanged.connect(self._tell)

    def _set_types(self, types: list[str]) -> None:
        self._types = list(types)
        self._refresh()

    def _set_none(self, enabled: bool) -> None:
        self._none = enabled
        self._refresh()

    nodeTypes = Property("QStringList", lambda self: self._types, _set_types)
    noneEnabled = Property(bool, lambda self: self._none, _set_none)
    currentNodeID = Property(str, lambda self: self.currentData or "")

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of a scene; None: of none."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
            self._tags = [scene.AddObserver(event, lambda *_: self._refresh()) for event in events]
        self._refresh()

    def currentNode(self) -> Any:
        node_id = self.currentData
        return self._scene.GetNodeByID(node_id) if self._scene and node_id else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentIndex(self.findData(node.GetID()) if node else self._none - 1)

    def _refresh(self) -> None:
        if self._scene is None:
            return
        before = self.currentData
        nodes = [
            self._scene.GetNthNode(n)
            for n in range(self._scene.GetNumberOfNodes())
            if any(self._scene.GetNthNode(n).IsA(kind) for kind in self._types)
        ]
        blocked = self.blockSignals(True)
        self.clear()
        if self._none:
            self.addItem("None", None)
        for node in nodes:
            if not node.GetHideFromEditors():
                self.addItem(node.GetName(), node.GetID())
        found = self.findData(before) if before else -1
        self.setCurrentIndex(max(found, 0) if self.count else -1)
        self.blockSignals(blocked)
        self._tell()

    def _tell(self, *_: Any) -> None:
        if self.currentData != self._shown:
            self._shown = self.currentData
            self.currentNodeChanged.emit(self.currentNode())


_OWN = {c.__name__: c for c in (ctkCollapsibleButton, qMRMLWidget, qMRMLNodeComboBox)}


@cache
def stand_in(name: str) -> type | None:
    """The class that stands for `ctk.<name>` or `slicer.<name>`; None for names of neither.

    Widgets that no part of the panel uses are empty: Slicer's own files only name their classes.
    """
    if name in _OWN:
        return _OWN[name]
    if name.startswith(("ctk", "qMRML", "qSlicer")):
        return type(name, (qt_class("QWidget"),), {})
    return None


def stand_in_or_raise(name: str) -> type:
    """The same for a module's `__getattr__`."""
    found = stand_in(name)
    if found is None:
        raise AttributeError(f"module {slicer.__name__!r} has no attribute {name!r}")
    return found
