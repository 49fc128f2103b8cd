"""The stand-in of Slicer's node selector, with the rules of qMRMLNodeComboBox.cxx and QComboBox."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from .pythonqt import PythonQtWays


class qMRMLNodeComboBox(PythonQtWays, QtWidgets.QComboBox):
    """A list of the scene's nodes of some types; it never chooses a node that was added.

    Without a current node its index is -1, or that of the entry "None". If the current node is
    removed, the one before it in the list becomes current, as in any QComboBox; there is none
    before the first.
    """

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings: dict[str, Any] = {
            "nodeTypes": [],
            "noneEnabled": False,
            "showChildNodeTypes": True,
            "showHidden": False,
            "addEnabled": True,
            "removeEnabled": True,
        }
        self._scene: Any = None
        self._shown: str | None = None
        self._tags: list[int] = []
        self.currentIndexChanged.connect(self._tell)
        self.setEnabled(False)

    def _get(name: str) -> Any:  # type: ignore[misc]
        return lambda self: self._settings[name]

    def _set(name: str) -> Any:  # type: ignore[misc]
        def write(self: Any, value: Any) -> None:
            self._settings[name] = value
            self._refresh()

        return write

    nodeTypes = Property("QStringList", _get("nodeTypes"), _set("nodeTypes"))
    noneEnabled = Property(bool, _get("noneEnabled"), _set("noneEnabled"))
    showChildNodeTypes = Property(bool, _get("showChildNodeTypes"), _set("showChildNodeTypes"))
    showHidden = Property(bool, _get("showHidden"), _set("showHidden"))
    addEnabled = Property(bool, _get("addEnabled"), _set("addEnabled"))
    removeEnabled = Property(bool, _get("removeEnabled"), _set("removeEnabled"))
    currentNodeID = Property(str, lambda self: self.currentData or "")

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of a scene; None: of none, and it cannot be used."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
            self._tags = [scene.AddObserver(event, lambda *_: self._refresh()) for event in events]
        self.setEnabled(scene is not None)
        self._refresh()

    def currentNode(self) -> Any:
        node_id = self.currentData
        return self._scene.GetNodeByID(node_id) if self._scene and node_id else None

    def setCurrentNode(self, node: Any) -> None:
        found = -1 if node is None else self.findData(node.GetID())
        self.setCurrentIndex(found if found >= 0 else self._none_index())

    def nodeCount(self) -> int:
        return int(self.count) - int(self._settings["noneEnabled"])

    def _none_index(self) -> int:
        return 0 if self._settings["noneEnabled"] else -1

    def _lists(self, node: Any) -> bool:
        of_type = node.IsA if self._settings["showChildNodeTypes"] else node.GetClassName().__eq__
        hidden = node.GetHideFromEditors() and not self._settings["showHidden"]
        return not hidden and any(of_type(kind) for kind in self._settings["nodeTypes"])

    def _refresh(self) -> None:
        if self._scene is None:
            return
        before, row = self.currentData, self.currentIndex
        nodes = [self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes())]
        blocked = self.blockSignals(True)
        self.clear()
        if self._settings["noneEnabled"]:
            self.addItem("None", None)
        for node in filter(self._lists, nodes):
            self.addItem(node.GetName(), node.GetID())
        found = self.findData(before) if before else self._none_index()
        if found < 0 and before and row > 0:
            found = min(self.count - 1, row - 1)
        self.setCurrentIndex(found)
        self.blockSignals(blocked)
        self._tell()

    def _tell(self, *_: Any) -> None:
        if self.currentData != self._shown:
            self._shown = self.currentData
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(self._shown or "")
