"""The picture of a case with a model: masks and reference in three planes at the largest errors."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.cases import Case, LoadedCase
from ...drawing.preview import (
    COLOURS,
    Outline,
    blank_figure,
    draw_preview,
    middle_voxel,
    write_preview,
)
from ...metrics import dice
from ...tasks.records import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One object for each colour; the picture omits the others of a case.
PICTURED = len(COLOURS)
_REFERENCE_COLOUR = "#FFFFFF"


def picture_name(key: Key) -> str:
    """A file name that is valid everywhere and unique for each task."""
    case, model, seed = key
    return f"{_safe(case)}--{_safe(model)}-{seed}-{zlib.crc32(repr(key).encode()):08x}.jpg"


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80]


def write_picture(
    case: Case, loaded: LoadedCase, masks_kji: NDArray[np.uint8], title: str, path: Path
) -> None:
    """Draw each object's mask in its colour, and its reference in white dashes.

    The planes go through the middle of the errors in the slice, along K, with most errors, of the
    object with the lowest Dice.

    Args:
        case: the case.
        loaded: its image and labels.
        masks_kji: as `run_case` returns it, bit n for object n.
        title: the title.
        path: the file.
    """
    outlines = []
    pairs = []
    for n, (value, name) in enumerate(case.objects[:PICTURED]):
        mask = (masks_kji >> n) & 1
        reference = loaded.label.array_kji == value
        outlines.append(Outline(name, mask, COLOURS[n]))
        outlines.append(Outline("reference", reference, _REFERENCE_COLOUR, dashed=True))
        pairs.append((reference, mask))
    at_ijk = _worst_place(*min(pairs, key=lambda pair: dice(*pair)))
    if len(case.objects) > PICTURED:
        title += f", the first {PICTURED} of {len(case.objects)} objects"
    picture = draw_preview(
        loaded.image, outlines, title=title, at_ijk=at_ijk, indices=False, figure=_figure()
    )
    write_preview(picture, path)


@lru_cache(maxsize=1)
def _figure() -> Figure:
    """The figure for all pictures of this process, for one thread at a time."""
    return blank_figure()


def _worst_place(reference: NDArray[Any], mask: NDArray[Any]) -> list[int] | None:
    """A voxel (i, j, k) among the errors; None if the masks are equal."""
    error = reference != mask
    worst = int(np.count_nonzero(error, axis=(1, 2)).argmax())
    place = middle_voxel(error[worst : worst + 1])
    return None if place is None else [int(place[2]), int(place[1]), worst]
