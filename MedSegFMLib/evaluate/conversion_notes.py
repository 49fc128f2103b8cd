"""The notes of a conversion on information that the challenge's npz files do not contain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..datasets.cases import Case
from ..datasets.challenge_npz import SPACING_ORDERS, has_grid, read_spacing


class NpzImage(NamedTuple):
    """An npz file that is read.

    Attributes:
        name: the name of its case.
        path: the file.
        spacing_order: "xyz" or "zyx".
    """

    name: str
    path: Path
    spacing_order: str

    @classmethod
    def of(cls, case: Case) -> NpzImage:
        """The image of a case."""
        return cls(case.name, case.image, case.spacing_order)

    @property
    def looks_otherwise(self) -> bool:
        """Whether the spacing looks as if it were in the other order."""
        first, middle, last = read_spacing(self.path)
        return (middle == last != first) if self.spacing_order == "xyz" else first == middle != last


def notes_on_several_images(cases: Sequence[Case]) -> tuple[str, ...]:
    """A note on cases of several images: an npz file holds one."""
    several = [case.name for case in cases if case.images is not None]
    if not several:
        return ()
    return (
        f"{several[0]} has several images, of which npz files hold the primary one."
        if len(several) == 1
        else f"{len(several)} cases have several images, of which npz files hold the primary one.",
    )


def notes_on_npz(images: Sequence[NpzImage]) -> tuple[str, ...]:
    """Notes on directions and spacing that are assumed, once for all files, labelled or not."""
    notes = []
    silent = [image for image in images if not has_grid(image.path)]
    if silent:
        notes.append(
            "npz files hold no directions: i, j and k are assumed to increase towards the "
            f"patient's left, back and head in {len(silent)} of {len(images)} cases."
        )
    doubtful = [image for image in silent if image.looks_otherwise]
    if doubtful:
        order = doubtful[0].spacing_order
        other = next(each for each in SPACING_ORDERS if each != order)
        notes.append(
            f"The spacing of {len(doubtful)} cases, {doubtful[0].name} the first, looks as if it "
            f"were {other}, not {order} (equal numbers are usually those within slices): compare "
            "one with its source, and give --spacing-order."
        )
    return tuple(notes)
