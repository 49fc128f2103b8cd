"""The commands of the shell that print the objects and prompts."""

from __future__ import annotations

from collections.abc import Sequence

from ...prompts.references import prompt_text
from ..console import print_table, progress_bar
from .context import Context


def print_prompts(context: Context, _: Sequence[str]) -> None:
    """Print the prompts with their numbers."""
    talk = context.conversation
    rows = [
        [str(number), talk.prompts.name(label), prompt_text(prompt, talk.volume.geometry)]
        for number, (label, prompt) in enumerate(talk.prompts.entries, 1)
    ]
    print_table(["prompt", "object", "as typed (i, j, k)"], rows)


def print_objects(context: Context, _: Sequence[str]) -> None:
    """Print the objects with their sizes."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        found = {s.label: s.voxels for s in talk.segmentation(progress).segments}
    ml = talk.volume.geometry.voxel_volume_mm3 / 1000
    rows = []
    for label, name in talk.prompts.objects:
        shown = f"{name} (current)" if label == talk.label else name
        voxels = found.get(label, 0)
        rows.append([str(label), shown, str(voxels), f"{voxels * ml:.2f}"])
    print_table(["label", "object", "voxels", "ml"], rows)
