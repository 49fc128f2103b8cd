"""The picture that `view` writes: the one place in which the shell draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...drawing.panels import panels_of_objects, panels_through
from ...drawing.picture import Scene, check_picture_ending, draw_panels, write_picture
from ...prompts.prompt_list import PromptList
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume
from ..arguments.picture import outlines_of


def write_view(
    volume: Volume,
    segmentation: Segmentation,
    prompts: PromptList,
    title: str,
    path: Path,
    at_ijk: Sequence[float] | None = None,
) -> None:
    """Write a picture of a volume with the outlines of all objects and the prompts.

    Args:
        volume: the volume.
        segmentation: its objects.
        prompts: their prompts.
        title: text above the planes.
        path: the file, whose ending is the format.
        at_ijk: a voxel that the planes go through; None for the slices in which each object is
            largest.

    Raises:
        OutputError: the file cannot be written, or not in that format.
    """
    check_picture_ending(path)
    scene = Scene(volume, outlines_of(segmentation), [prompt for _, prompt in prompts.entries])
    if at_ijk is None:
        panels = panels_of_objects(scene)
    else:
        panels = panels_through(scene, [round(value) for value in at_ijk[::-1]])
    write_picture(draw_panels(scene, panels, title), path)
