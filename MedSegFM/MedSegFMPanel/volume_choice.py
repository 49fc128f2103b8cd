"""The volume that is segmented if the user has not chosen one, as in Slicer's template."""

import slicer

from MedSegFMLib.errors import MedSegFMError

# Not the classes derived from it: labelmaps and vector volumes cannot be segmented.
_CLASS = "vtkMRMLScalarVolumeNode"


class VolumeChoice:
    """The volume node that is chosen, also while it cannot be segmented.

    Args:
        logic: The scene logic.

    Attributes:
        fault: Why the chosen node cannot be segmented; "" if it can.
    """

    def __init__(self, logic):
        self._logic = logic
        self._refused_at = None
        self.fault = ""

    def choose(self, node):
        """Segment a volume node, or none; returns whether it can be segmented."""
        self.fault = ""
        try:
            self._logic.set_volume(node)
        except MedSegFMError as error:
            self.fault, self._refused_at = str(error), node.GetMTime()
        return not self.fault

    def has_changed(self, node):
        """Whether a node that was refused has changed since; loading takes two steps."""
        return bool(self.fault) and node is not None and node.GetMTime() != self._refused_at


def offered_volume(scene):
    """The volume that the views show, or else the first of the scene; None without any.

    Args:
        scene: The vtkMRMLScene.
    """
    count = scene.GetNumberOfNodesByClass(_CLASS)
    nodes = [scene.GetNthNodeByClass(n, _CLASS) for n in range(count)]
    offered = [node for node in nodes if _is_listed(node)]
    active_id = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    # Of those without voxels, which are explained to the user, only if there is no other.
    offered.sort(key=lambda node: (node.GetImageData() is None, node.GetID() != active_id))
    return offered[0] if offered else None


def _is_listed(node):
    """Whether the selector lists a node."""
    return node.GetClassName() == _CLASS and not node.GetHideFromEditors()
