"""The volume that is segmented if the user has not chosen one, as in Slicer's template."""

import slicer

# Not the classes derived from it: labelmaps and vector volumes cannot be segmented.
_CLASS = "vtkMRMLScalarVolumeNode"


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
