"""Stand-ins for the widgets of CTK and Slicer that the panel uses, with what the desktop's do."""

from __future__ import annotations

from functools import cache
from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .node_selector import qMRMLNodeComboBox
from .pythonqt import PythonQtWays, qt_class
from .segment_editor import qMRMLSegmentEditorWidget

_HEADER_PIXELS = 22
_REMEMBERED = "visibilityToParent"


class ctkCollapsibleButton(PythonQtWays, QtWidgets.QWidget):
    """A header that shows and hides what lies below it, with the rules of ctkCollapsibleButton.cpp.

    What a child is shown or hidden explicitly is remembered in its property `visibilityToParent`,
    also while it is collapsed, and holds when it is expanded again.
    """

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed, self._forcing = "", False, False
        self.setContentsMargins(0, _HEADER_PIXELS, 0, 0)

    def _set_text(self, text: str) -> None:
        self._text = text

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.setMaximumHeight(_HEADER_PIXELS if collapsed else 16777215)
        for child in self.children():
            if child.isWidgetType():
                self._force(child)
        self.contentsCollapsed.emit(collapsed)

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        child = event.child()
        if event.type() == QtCore.QEvent.Type.ChildAdded and child.isWidgetType():
            child.installEventFilter(self)
            if self._collapsed:
                self._force(child)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        kinds = QtCore.QEvent.Type
        if not self._forcing and event.type() in (kinds.ShowToParent, kinds.HideToParent):
            child.setProperty(_REMEMBERED, event.type() == kinds.ShowToParent)
            self._force(child)
        return False

    def _force(self, child: Any) -> None:
        self._forcing = True
        wanted = child.property(_REMEMBERED)
        child.setVisible(not self._collapsed and wanted is not False)
        if wanted is not False:
            # Not as if somebody had shown or hidden it explicitly.
            child.setAttribute(QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)
        self._forcing = False

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


_CLASSES = (ctkCollapsibleButton, qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)
_OWN = {c.__name__: c for c in _CLASSES}


@cache
def stand_in(name: str) -> type | None:
    """The class that stands for `ctk.<name>` or `slicer.<name>`; None for names of neither.

    Widgets that no part of the panel uses are empty: Slicer's own files only name their classes.
    """
    if name in _OWN:
        return _OWN[name]
    if name == "qSlicerScriptedLoadableModuleWidget":
        from .module_widget import qSlicerScriptedLoadableModuleWidget

        return qSlicerScriptedLoadableModuleWidget
    if name.startswith(("ctk", "qMRML", "qSlicer")):
        return type(name, (qt_class("QWidget"),), {})
    return None


def stand_in_or_raise(name: str) -> type:
    """The same for a module's `__getattr__`."""
    found = stand_in(name)
    if found is None:
        raise AttributeError(f"module {slicer.__name__!r} has no attribute {name!r}")
    return found
