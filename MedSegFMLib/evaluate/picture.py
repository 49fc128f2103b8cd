"""The picture of a case with a model: results and reference in three planes."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cases import Case, LoadedCase
from ..preview import COLOURS, Outline, draw_preview, write_preview

# As many objects as there are colours; the picture leaves out the others of a case.
PICTURED = len(COLOURS)
_REFERENCE_COLOUR = "#FFFFFF"


def picture_name(case: str, model: str) -> str:
    """A file name that is valid everywhere and that no other case or model has."""
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in case)[:80]
    return f"{safe}-{zlib.crc32(case.encode()):08x}--{model}.jpg"


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
