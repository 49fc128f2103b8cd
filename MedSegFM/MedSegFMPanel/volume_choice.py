"""The volume that is segmented if the user has not chosen one, as in Slicer's template."""

import slicer

from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.mrml.words import messages

# Not the classes derived from it: labelmaps and vector volumes cannot be segmented.
_CLASS = "vtkMRMLScalarVolumeNode"


class VolumeChoice:
    """The volume node that is chosen, also while it cannot be segmented.

    Args:
        panel: The `Panel`.

    Attributes:
        fault: Why the chosen node cannot be segmented; "" if it can.
    """

    def __init__(self, panel):
        self._panel, self._logic = panel, panel.logic
        self._refused_at = None
        self.fault = ""

    def offer(self):
        """Choose a volume of the scene if none is chosen: the selector never does it by itself."""
        parameters = self._panel.parameters
        if parameters is None or parameters.volume is not None:
            return
        node = self._logic.volume_node or offered_volume(slicer.mrmlScene)
        if node is not None:
            parameters.volume = node

    def choose(self, node):
        """Segment a volume node, or none; one that cannot be segmented is explained."""
        self.fault = ""
        try:
            self._logic.set_volume(node)
        except MedSegFMError as error:
            self.fault, self._refused_at = str(error), node.GetMTime()
            return
        panel = self._panel
        panel.place_mode.stop()
        panel.status.clear()
        if node is not None:
            panel.models.look_again()
            panel.model.follow()
            panel.model.warm_up()

    def look_again(self):
        """Choose a node that was refused again once it has changed; loading takes two steps."""
        parameters = self._panel.parameters
        node = parameters.volume if parameters is not None else None
        if self.fault and node is not None and node.GetMTime() != self._refused_at:
            self.choose(node)
            self._panel.refresh()

    def show(self):
        """Show what to do while no volume is segmented."""
        hint = messages.volume_hint(self._logic.volume is not None, self.fault)
        label = self._panel.ui.volumeHint
        label.text, label.visible = hint, bool(hint)


def offered_volume(scene):
    """The volume that the views show, or else the first of the scene; None without any.

    Args:
        scene: The vtkMRMLScene.
    """
    count = scene.GetNumberOfNodesByClass(_CLASS)
    nodes = [scene.GetNthNodeByClass(n, _CLASS) for n in range(count)]
    offered = [node for node in nodes if _is_listed(node)]
    active_id = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    # One that cannot be segmented, which is explained to the user, only if there is no other.
    offered.sort(
        key=lambda node: (not _is_volume(node), node.GetID() != active_id, _is_slice(node))
    )
    return offered[0] if offered else None


def _is_listed(node):
    """Whether the selector lists a node."""
    return node.GetClassName() == _CLASS and not node.GetHideFromEditors()


def _is_volume(node):
    """Whether a node has voxels with one value each."""
    image = node.GetImageData()
    return (
        image is not None
        and min(image.GetDimensions()) > 0
        and image.GetNumberOfScalarComponents() == 1
    )


def _is_slice(node):
    """Whether a node is one voxel thick."""
    image = node.GetImageData()
    return image is not None and min(image.GetDimensions()) == 1
