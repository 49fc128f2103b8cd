"""The picture that `view` writes: the one place in which the shell draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...drawing.preview import (
    COLOURS,
    Outline,
    check_picture_ending,
    draw_preview,
    write_preview,
)
from ...prompts.prompt_list import PromptList
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume


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
        at_ijk: a voxel that the planes go through; None for the middle of the first object.

    Raises:
        OutputError: the file cannot be written, or not in that format.
    """
    check_picture_ending(path)
    outlines = [
        Outline(segment.name, segment.on(volume.geometry), COLOURS[n % len(COLOURS)])
        for n, segment in enumerate(segmentation.segments)
    ]
    given = [prompt for _, prompt in prompts.entries]
    write_preview(draw_preview(volume, outlines, given, title, at_ijk), path)
