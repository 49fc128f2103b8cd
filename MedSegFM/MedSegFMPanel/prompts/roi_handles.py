"""Handles of boxes: only one box has them, as many would hide the image."""

import numpy as np

from MedSegFMLib.mrml.prompts.nodes import ROLE, box_from_roi
from MedSegFMLib.prompts.types import Box


def show_handles(scene, prompts, selected):
    """Give handles to the box that is selected in the list, or else to the latest one.

    Args:
        scene: The vtkMRMLScene.
        prompts: The present prompts.
        selected: The index of the selected prompt; None if none is.
    """
    boxes = [prompt for _, prompt in prompts.entries if isinstance(prompt, Box)]
    chosen = prompts.entries[selected][1] if selected is not None else None
    if not isinstance(chosen, Box):
        chosen = boxes[-1] if boxes else None
    for n in range(scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode")):
        node = scene.GetNthNodeByClass(n, "vtkMRMLMarkupsROINode")
        display = node.GetDisplayNode()
        if node.GetAttribute(ROLE) != "box" or display is None or min(node.GetSize()) <= 0:
            continue
        on = chosen is not None and _near(box_from_roi(node), chosen)
        if bool(display.GetHandlesInteractive()) != on:
            display.SetHandlesInteractive(on)


def _near(first, second):
    return np.allclose(
        first.corners_ras().mean(axis=0), second.corners_ras().mean(axis=0), atol=1e-3
    )
