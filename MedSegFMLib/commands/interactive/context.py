"""The things that the commands of the shell work on, and how they read words and print totals."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import PromptError
from ...volumes.volume import Volume
from ..console import progress_bar

if TYPE_CHECKING:
    from .conversation import Conversation


class Quit(Exception):
    """The user ends the shell."""


@dataclass
class Context:
    """The things that the commands work on.

    Attributes:
        conversation: prompts and answers.
        volume: the volume as it was read.
        arguments: the command line of the shell.
        options: the model's options.
        quits: how many times `quit` was typed in a row.
        asks: whether `quit` asks if something is not saved.
    """

    conversation: Conversation
    volume: Volume
    arguments: argparse.Namespace
    options: Mapping[str, str]
    asks: bool = False
    quits: int = 0


def numbers(words: Sequence[str], usage: str) -> list[float]:
    """Numbers, which commas may divide too."""
    parts = [part for word in words for part in word.split(",") if part]
    try:
        return [float(part) for part in parts]
    except ValueError:
        bad = next(part for part in parts if not part.replace(".", "").lstrip("-").isdigit())
        raise PromptError(f"'{bad}' is no number; write {usage}.") from None


def as_one(words: Sequence[str], usage: str) -> str:
    """The words as one, which must not be empty."""
    text = " ".join(words).strip()
    if not text:
        raise PromptError(f"Something is missing; write {usage}.")
    return text


def print_total(context: Context) -> None:
    """Print the size of each object."""
    talk = context.conversation
    with progress_bar(talk.card.name) as progress:
        segments = talk.segmentation(progress).segments
    ml = talk.volume.geometry.voxel_volume_mm3 / 1000
    parts = [f"{s.name} {s.voxels} voxels, {s.voxels * ml:.2f} ml" for s in segments]
    print("; ".join(parts) + "." if parts else "There are no prompts.")
