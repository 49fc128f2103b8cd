"""Drawing prompts in the views: Slicer's place mode with the markups of the scene logic."""

from enum import Enum

import slicer

from MedSegFMLib.mrml.nodes.hidden_nodes import add_helper
from MedSegFMLib.mrml.nodes.while_saving import quietly

from .freehand import Freehand, slice_views


class PlacedKind(Enum):
    """The kinds of what is placed in the views: prompts, and the target of a prompt to move."""

    BOX = "box"
    LINE = "line"
    POSITIVE_CLICK = "positive click"
    NEGATIVE_CLICK = "negative click"
    SCRIBBLE = "scribble"
    LASSO = "lasso"
    TARGET = "target"


# The scene logic's name and the sign of each prompt that is drawn.
_DRAFTS = {
    PlacedKind.BOX: ("box", True),
    PlacedKind.LINE: ("line", True),
    PlacedKind.POSITIVE_CLICK: ("point", True),
    PlacedKind.NEGATIVE_CLICK: ("point", False),
    PlacedKind.SCRIBBLE: ("scribble", True),
    PlacedKind.LASSO: ("lasso", True),
}

_STROKES = (PlacedKind.SCRIBBLE, PlacedKind.LASSO)


class PlaceMode:
    """Slicer's place mode for one kind of prompt at a time.

    Args:
        scene: The vtkMRMLScene.
        draft: Makes a node to draw into from the name of a prompt and its sign.
        finish: Called with a node when the drawing in it has ended.
        changed: Called when drawing begins or ends.
        views: Gives the interactor and the slice node of each slice view.

    Attributes:
        active: The kind that is drawn now; None if none is.
        is_freehand: Whether strokes and outlines are drawn by dragging, in slice views.
    """

    def __init__(self, scene, draft, finish, changed, views=slice_views):
        self._scene = scene
        self._draft, self._finish, self._changed = draft, finish, changed
        self.active = None
        self.is_freehand = False
        self._freehand = Freehand(views, scene.RemoveNode)
        self._node_id = None
        self._picked = None
        self._observed = None
        # Slicer's choice of what to place before: identifier and class of the node.
        self._before = (None, None)
        self._given_back = None

    @property
    def draws_freehand(self):
        """Whether the next drag is a stroke."""
        return self._freehand.is_on

    def start(self, kind):
        """Draw a prompt of a kind; clicks go on until `stop`, the others end by themselves."""
        name, positive = _DRAFTS[kind]
        if self.is_freehand and kind in _STROKES:
            self.stop()
            if self._freehand.start(lambda: self._draft(name, positive), self._stroke_done):
                self.active = kind
                self._changed()
                return
        self._place(self._draft(name, positive), persistent=name == "point")
        self.active = kind
        self._changed()

    def pick(self, picked):
        """Have the user place one point in the views; `picked` gets it in RAS millimetres."""
        node = add_helper(self._scene, "vtkMRMLMarkupsFiducialNode", "MedSegFM target")
        self._place(node, persistent=False)
        self.active, self._picked = PlacedKind.TARGET, picked
        self._changed()

    def stop(self):
        """Draw nothing any more."""
        if self.active is None:
            return
        if self._freehand.is_on:
            self._freehand.stop()
            self.active = None
            self._changed()
            return
        self._unobserve()
        interaction = self._interaction()
        if interaction is not None:
            interaction.SetPlaceModePersistence(0)
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        self._end()

    def give_back(self):
        """End placing quietly: the scene is being saved, and the views go on with it."""
        if self.active is None or self._freehand.is_on:
            return
        selection, interaction = self._selection(), self._interaction()
        self._given_back = (
            selection.GetActivePlaceNodeID(),
            selection.GetActivePlaceNodeClassName(),
            interaction.GetPlaceModePersistence(),
        )
        with quietly(interaction):
            interaction.SetPlaceModePersistence(0)
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        with quietly(selection):
            self._choose(*self._before)

    def take_up(self):
        """Place again."""
        given_back, self._given_back = self._given_back, None
        if given_back is None or self.active is None:
            return
        node_id, class_name, persistent = given_back
        interaction = self._interaction()
        with quietly(self._selection()):
            self._choose(node_id, class_name)
        with quietly(interaction):
            interaction.SetPlaceModePersistence(persistent)
            interaction.SetCurrentInteractionMode(interaction.Place)

    def _place(self, node, persistent):
        self.stop()
        selection, interaction = self._selection(), self._interaction()
        self._before = (
            selection.GetActivePlaceNodeID(),
            selection.GetActivePlaceNodeClassName(),
        )
        selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(int(persistent))
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._node_id = node.GetID()
        tag = interaction.AddObserver(interaction.InteractionModeChangedEvent, self._on_mode)
        self._observed = (interaction, tag)

    def _on_mode(self, interaction, _event):
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            self._unobserve()
            self._end()

    def _end(self):
        node = self._scene.GetNodeByID(self._node_id) if self._node_id else None
        kind, picked = self.active, self._picked
        if self._selection().GetActivePlaceNodeID() == self._node_id:
            self._choose(*self._before)
        self.active = self._node_id = self._picked = None
        if node is not None and kind is PlacedKind.TARGET:
            placed = [
                node.GetNthControlPointPositionWorld(n)
                for n in range(node.GetNumberOfControlPoints())
                if node.GetNthControlPointPositionStatus(n) == node.PositionDefined
            ]
            self._scene.RemoveNode(node)
            if placed:
                picked(placed[0])
        elif node is not None and kind in _STROKES:
            self._finish(node)
        self._changed()

    def _stroke_done(self, node):
        self.active = None
        self._finish(node)
        self._changed()

    def _choose(self, node_id, class_name):
        """Have Slicer place into a node; None for none."""
        selection = self._selection()
        is_there = bool(node_id) and self._scene.GetNodeByID(node_id) is not None
        selection.SetReferenceActivePlaceNodeClassName(class_name)
        selection.SetActivePlaceNodeID(node_id if is_there else None)

    def _unobserve(self):
        if self._observed is not None:
            interaction, tag = self._observed
            interaction.RemoveObserver(tag)
            self._observed = None

    def _selection(self):
        return slicer.app.applicationLogic().GetSelectionNode()

    def _interaction(self):
        return slicer.app.applicationLogic().GetInteractionNode()
