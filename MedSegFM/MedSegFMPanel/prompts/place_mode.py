"""Drawing prompts in the views: Slicer's place mode with the markups of the scene logic."""

import slicer

# What each button draws: the kind that the scene logic knows, and the sign.
DRAWN = {
    "box": ("box", True),
    "positive": ("point", True),
    "negative": ("point", False),
    "scribble": ("scribble", True),
    "lasso": ("lasso", True),
}


class Placement:
    """At most one kind of prompt is being drawn at a time.

    draft(kind, positive): a node to draw into. finish(node): the user has ended a stroke in it.
    changed(): called when drawing begins or ends.
    """

    def __init__(self, scene, draft, finish, changed):
        self._scene = scene
        self._draft, self._finish, self._changed = draft, finish, changed
        self.active = None
        self._node_id = None
        self._picked = None
        self._observed = None

    def start(self, name):
        """Draw `name` of DRAWN; clicks go on until `stop`, the others end by themselves."""
        kind, positive = DRAWN[name]
        self._place(self._draft(kind, positive), persistent=kind == "point")
        self.active = name
        self._changed()

    def pick(self, picked):
        """Ask for one place in the views; `picked` gets it in RAS millimetres."""
        node = self._scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "MedSegFM target")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        self._place(node, persistent=False)
        self.active, self._picked = "pick", picked
        self._changed()

    def stop(self):
        """Draw nothing; what is half drawn is dropped by its owner."""
        if self.active is None:
            return
        self._unobserve()
        interaction = self._interaction()
        if interaction is not None:
            interaction.SetPlaceModePersistence(0)
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)
        self._end()

    def _place(self, node, persistent):
        self.stop()
        selection, interaction = self._selection(), self._interaction()
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
        name, picked = self.active, self._picked
        self.active = self._node_id = self._picked = None
        if node is not None and name == "pick":
            placed = [
                node.GetNthControlPointPositionWorld(n)
                for n in range(node.GetNumberOfControlPoints())
                if node.GetNthControlPointPositionStatus(n) == node.PositionDefined
            ]
            self._scene.RemoveNode(node)
            if placed:
                picked(placed[0])
        elif node is not None and name in ("scribble", "lasso"):
            self._finish(node)
        self._changed()

    def _unobserve(self):
        if self._observed is not None:
            interaction, tag = self._observed
            interaction.RemoveObserver(tag)
            self._observed = None

    def _selection(self):
        return slicer.app.applicationLogic().GetSelectionNode()

    def _interaction(self):
        return slicer.app.applicationLogic().GetInteractionNode()
