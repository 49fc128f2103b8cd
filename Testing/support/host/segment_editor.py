"""The stand-in of Slicer's segment editor, with the rules of qMRMLSegmentEditorWidget.cxx.

What the real one reports as a critical error is raised here. It changes segments only by Add,
Remove and Show 3D; tests paint with Slicer's own vtkSlicerSegmentEditorLogic.
"""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal
from vtkmodules.vtkCommonCore import vtkCommand

from . import segment_editor_effects
from .node_selector import qMRMLNodeComboBox
from .pythonqt import PythonQtWays, qt_class

_SURFACE = "Closed surface"
_EFFECTS_IN_A_ROW = 4


class qMRMLSegmentEditorWidget(PythonQtWays, QtWidgets.QWidget):
    """Edits the segmentation that a vtkMRMLSegmentEditorNode names, one segment at a time.

    The node has to be set before the scene. A segmentation that becomes the node's brings its
    reference volume with it, and its first segment is selected.
    """

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._segmentation: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._segment_tags: list[tuple[Any, int]] = []
        self._effects: list[Any] = []
        self._active: Any = None
        self._order: list[str] = []
        self._flags: dict[str, Any] = {
            "unorderedEffectsVisible": True,
            "autoShowSourceVolumeNode": True,
            "maximumNumberOfUndoStates": 10,
        }
        self.are_views_observed = False
        self.has_shortcuts = False
        self._build()
        self.updateEffectList()

    def _build(self) -> None:
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._segmentations = qMRMLNodeComboBox()
        self._segmentations.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._segmentations.setObjectName("SegmentationNodeComboBox")
        self._segmentations.currentNodeChanged.connect(self._on_segmentation_chosen)
        self._sources = qMRMLNodeComboBox()
        self._sources.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self._sources.setObjectName("SourceVolumeNodeComboBox")
        buttons = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        for name, text, slot in (
            ("AddSegmentButton", "Add", self._on_add),
            ("RemoveSegmentButton", "Remove", self._on_remove),
            ("Show3DButton", "Show 3D", self._on_show_3d),
        ):
            button = qt_class("QPushButton")(text)
            button.setObjectName(name)
            button.clicked.connect(slot)
            row.addWidget(button)
        buttons.findChild(QtWidgets.QPushButton, "Show3DButton").setCheckable(True)
        self._table = qt_class("QTableWidget")(0, 3)
        self._table.setObjectName("SegmentsTableView")
        self._table.setHorizontalHeaderLabels(["Show", "Color", "Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        for column_index in (0, 1):
            self._table.setColumnWidth(column_index, 44)
        self._table.verticalHeader().setVisible(False)
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QtWidgets.QTableWidget.SelectionMode.SingleSelection)
        self._table.setFixedHeight(110)
        self._table.itemSelectionChanged.connect(self._on_selected)
        self._table.cellChanged.connect(self._on_cell)
        self._effect_box = QtWidgets.QWidget()
        QtWidgets.QGridLayout(self._effect_box).setContentsMargins(0, 0, 0, 0)
        self._options = QtWidgets.QWidget()
        self._options.setObjectName("OptionsGroupBox")
        QtWidgets.QVBoxLayout(self._options).setContentsMargins(0, 0, 0, 0)
        self._options.setVisible(False)
        for widget in (
            self._segmentations,
            self._sources,
            buttons,
            self._table,
            self._effect_box,
            self._options,
        ):
            column.addWidget(widget)

    def _shows(which: str) -> Any:  # type: ignore[misc]
        def read(self: Any) -> bool:
            return not getattr(self, which).isHidden()

        def write(self: Any, on: bool) -> None:
            getattr(self, which).setVisible(on)

        return Property(bool, read, write)

    segmentationNodeSelectorVisible = _shows("_segmentations")
    sourceVolumeNodeSelectorVisible = _shows("_sources")
    switchToSegmentationsButtonVisible = Property(bool, lambda self: False, lambda self, on: None)
    autoShowSourceVolumeNode = Property(
        bool,
        lambda self: self._flags["autoShowSourceVolumeNode"],
        lambda self, on: self._flags.update(autoShowSourceVolumeNode=on),
    )
    unorderedEffectsVisible = Property(
        bool,
        lambda self: self._flags["unorderedEffectsVisible"],
        lambda self, on: self._set_unordered(on),
    )

    def _set_unordered(self, on: bool) -> None:
        self._flags["unorderedEffectsVisible"] = on
        self.updateEffectList()

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self._flags["maximumNumberOfUndoStates"] = count

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._order = list(names)
        self.updateEffectList()

    def effectNameOrder(self) -> list[str]:
        return self._order

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._observe(self._tags, [])
        self._scene = scene
        blocked = [box.blockSignals(True) for box in (self._segmentations, self._sources)]
        self._segmentations.setMRMLScene(scene)
        self._sources.setMRMLScene(scene)
        self._segmentations.blockSignals(blocked[0])
        self._sources.blockSignals(blocked[1])
        self._observe_node()
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if node is self._node:
            return
        self._node = node
        self._observe_node()
        if node is None:
            return
        for effect in self._effects:
            effect.setParameterSetNode(node)
        self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._segmentations.currentNode()

    def segmentationNodeID(self) -> str:
        return self._segmentation.GetID() if self._segmentation is not None else ""

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is None:
            if node is not None:
                raise RuntimeError(
                    "setSegmentationNode failed: need to set segment editor node first"
                )
            return
        if self._node.GetSegmentationNode() is not node:
            self.setActiveEffect(None)
            self._node.SetAndObserveSegmentationNode(node)

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is not None:
            self._node.SetAndObserveSourceVolumeNode(node)

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._node is not None:
            self._node.SetSelectedSegmentID(segment_id)

    def setupViewObservations(self) -> None:
        self.are_views_observed = True

    def removeViewObservations(self) -> None:
        self.are_views_observed = False

    def installKeyboardShortcuts(self, _parent: Any = None) -> None:
        self.has_shortcuts = True

    def uninstallKeyboardShortcuts(self) -> None:
        self.has_shortcuts = False

    def updateEffectList(self) -> None:
        """Make the effects that are registered, and a button for each that is to be seen."""
        known = {effect.name for effect in self._effects}
        self._effects += [e for e in segment_editor_effects.make_all() if e.name not in known]
        for effect in self._effects:
            if effect.widget is None:
                effect.set_up(self, self._options.layout())
                effect.setParameterSetNode(self._node)
        layout = self._effect_box.layout()
        while layout.count():
            layout.takeAt(0).widget().deleteLater()
        named = {effect.name: effect for effect in self._effects}
        names = [name for name in self._order if name in named]
        if self._flags["unorderedEffectsVisible"]:
            names += [name for name in named if name not in names]
        for n, name in enumerate(names):
            button = qt_class("QToolButton")()
            button.text, button.checkable = name, True
            button.setObjectName(name)
            button.clicked.connect(lambda on, name=name: self._on_effect(name, on))
            button.setSizePolicy(
                QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
            )
            layout.addWidget(button, n // _EFFECTS_IN_A_ROW, n % _EFFECTS_IN_A_ROW)

    def availableEffectNames(self) -> list[str]:
        return [effect.name for effect in self._effects]

    def effectByName(self, name: str) -> Any:
        return next((effect for effect in self._effects if effect.name == name), None)

    def activeEffect(self) -> Any:
        return self._active

    def setActiveEffectByName(self, name: str) -> None:
        self.setActiveEffect(self.effectByName(name))

    def setActiveEffect(self, effect: Any) -> None:
        if self._node is not None:
            self._node.SetActiveEffectName(effect.name if effect is not None else "")

    def updateWidgetFromMRML(self, *_: Any) -> None:
        """Bring the widgets to the segment editor node."""
        if self._scene is None or self._scene.IsClosing() or self._scene.IsBatchProcessing():
            return
        self._segmentations.setEnabled(self._node is not None)
        self._effect_box.setEnabled(self._node is not None)
        if self._node is None:
            return
        was_modifying = self._node.StartModify()
        self._bring_to_node()
        self._node.EndModify(was_modifying)

    def _bring_to_node(self) -> None:
        self._update_segmentation()
        source = self._node.GetSourceVolumeNode()
        if self._sources.currentNode() is not source:
            blocked = self._sources.blockSignals(True)
            self._sources.setCurrentNode(source)
            self._sources.blockSignals(blocked)
        self._update_table()
        self._update_effects()

    def _update_segmentation(self) -> None:
        found = self._node.GetSegmentationNode()
        if found is not self._segmentations.currentNode():
            blocked = self._segmentations.blockSignals(True)
            self._segmentations.setCurrentNode(found)
            self._segmentations.blockSignals(blocked)
        if found is self._segmentation:
            return
        self._segmentation = found
        self._observe(self._segment_tags, self._segmentation_events(found))
        if found is not None:
            role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
            self._node.SetAndObserveSourceVolumeNode(found.GetNodeReference(role))
            found.CreateDefaultDisplayNodes()
            ids = found.GetSegmentation().GetSegmentIDs()
            if ids:
                self._node.SetSelectedSegmentID(ids[0])
        self.segmentationNodeChanged.emit(found)

    def _segmentation_events(self, node: Any) -> list[tuple[Any, Any]]:
        if node is None:
            return []
        kinds = slicer.vtkSegmentation
        events = (kinds.SegmentAdded, kinds.SegmentRemoved, kinds.SegmentModified)
        return [(node, event) for event in (*events, vtkCommand.ModifiedEvent)]

    def _observe_node(self) -> None:
        wanted = []
        if self._node is not None:
            wanted.append((self._node, vtkCommand.ModifiedEvent))
        if self._scene is not None:
            wanted += [
                (self._scene, self._scene.EndCloseEvent),
                (self._scene, self._scene.EndBatchProcessEvent),
            ]
        self._observe(self._tags, wanted)

    def _observe(self, tags: list[tuple[Any, int]], wanted: list[tuple[Any, Any]]) -> None:
        for thing, tag in tags:
            thing.RemoveObserver(tag)
        tags[:] = [(t, t.AddObserver(event, self.updateWidgetFromMRML)) for t, event in wanted]

    def _ids(self) -> list[str]:
        node = self._segmentation
        return [] if node is None else list(node.GetSegmentation().GetSegmentIDs())

    def _update_table(self) -> None:
        ids, current = self._ids(), self.currentSegmentID()
        table = self._table
        blocked = table.blockSignals(True)
        table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            segment = self._segmentation.GetSegmentation().GetSegment(segment_id)
            display = self._segmentation.GetDisplayNode()
            shown = display is None or display.GetSegmentVisibility(segment_id)
            eye, color = QtWidgets.QTableWidgetItem(), QtWidgets.QTableWidgetItem()
            eye.setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
            color.setBackground(qt_class("QColor").fromRgbF(*segment.GetColor()))
            color.setFlags(Qt.ItemFlag.ItemIsEnabled)
            for n, item in enumerate((eye, color, QtWidgets.QTableWidgetItem(segment.GetName()))):
                table.setItem(row, n, item)
            table.setRowHeight(row, 22)
        table.clearSelection()
        if current in ids:
            table.selectRow(ids.index(current))
        table.blockSignals(blocked)

    def _update_effects(self) -> None:
        usable = self._node.GetSourceVolumeNode() is not None
        for effect in self._effects:
            button = self._effect_box.findChild(QtWidgets.QToolButton, effect.name)
            if button is not None:
                has_segment = bool(self._ids()) and bool(self.currentSegmentID())
                needs = effect.requireSegments and effect.perSegment
                button.setEnabled(usable and (has_segment or not needs))
                button.setChecked(effect.name == (self._node.GetActiveEffectName() or ""))
        active = self.effectByName(self._node.GetActiveEffectName() or "")
        if active is self._active:
            return
        before, self._active = self._active, active
        if before is not None:
            before.deactivate()
        self._options.setVisible(active is not None)
        if active is None:
            self.removeViewObservations()
            return
        self.setupViewObservations()
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if interaction.GetCurrentInteractionMode() != interaction.ViewTransform:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        active.activate()

    def _on_segmentation_chosen(self, node: Any) -> None:
        # Without settings the real one only logs that they are missing.
        if self._node is not None and not self._scene.IsBatchProcessing():
            self.setSegmentationNode(node)

    def _on_selected(self) -> None:
        rows = self._table.selectionModel().selectedRows()
        chosen = self._ids()[rows[0].row()] if rows else ""
        if chosen != self.currentSegmentID():
            self._node.SetSelectedSegmentID(chosen or None)
            self.currentSegmentIDChanged.emit(chosen)

    def _on_cell(self, row: int, column: int) -> None:
        segment_id, item = self._ids()[row], self._table.item(row, column)
        if column == 0:
            on = item.checkState() == Qt.CheckState.Checked
            self._segmentation.GetDisplayNode().SetSegmentVisibility(segment_id, on)
        elif column == 2:
            self._segmentation.GetSegmentation().GetSegment(segment_id).SetName(item.text())

    def _on_add(self) -> None:
        if self._segmentation is not None:
            added = self._segmentation.GetSegmentation().AddEmptySegment("")
            self._update_table()
            self._table.selectRow(self._ids().index(added))

    def _on_remove(self) -> None:
        ids, current = self._ids(), self.currentSegmentID()
        if current not in ids:
            return
        row = ids.index(current)
        if len(ids) > 1:
            self._table.selectRow(row + 1 if row + 1 < len(ids) else row - 1)
        self._segmentation.GetSegmentation().RemoveSegment(current)

    def _on_show_3d(self, on: bool) -> None:
        if self._segmentation is None:
            return
        if on:
            self._segmentation.CreateClosedSurfaceRepresentation()
        else:
            self._segmentation.GetSegmentation().RemoveRepresentation(_SURFACE)

    def _on_effect(self, name: str, on: bool) -> None:
        self.setActiveEffect(self.effectByName(name) if on else None)
