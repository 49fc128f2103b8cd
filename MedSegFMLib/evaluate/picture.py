"""The picture of a case with a model: results and reference in three planes."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cases import Case, LoadedCase
from ..preview import COLOURS, Outline, draw_preview, write_preview
from .records import Key

# As many objects as there are colours; the picture leaves out the others of a case.
PICTURED = len(COLOURS)
_REFERENCE_COLOUR = "#FFFFFF"


def picture_name(key: Key) -> str:
    """A file name that is valid everywhere and that no other task has."""
    case, model, seed = key
    return f"{_safe(case)}--{_safe(model)}-{seed}-{zlib.crc32(repr(key).encode()):08x}.jpg"


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:80]


def write_picture(
    case: Case, loaded: LoadedCase, masks_kji: NDArray[np.uint8], title: str, path: Path
) -> None:
    """Draw each object's result in its colour, its reference in white dashes.

    masks_kji: as `run_case` gives it, bit n for object n.
    """
    outlines = []
    for n, (value, name) in enumerate(case.objects[:PICTURED]):
        outlines.append(Outline(name, (masks_kji >> n) & 1, COLOURS[n]))
        reference = loaded.label.array_kji == value
        outlines.append(Outline("reference", reference, _REFERENCE_COLOUR, dashed=True))
    if len(case.objects) > PICTURED:
        title += f", the first {PICTURED} of {len(case.objects)} objects"
    write_preview(draw_preview(loaded.image, outlines, title=title), path)
