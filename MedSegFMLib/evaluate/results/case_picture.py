"""The picture of a case with a model: masks and reference in three planes at the largest errors."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.cases import Case
from ...datasets.loading import LoadedCase
from ...drawing import picture
from ...drawing.outlines import COLOURS, Outline
from ...drawing.panels import middle_voxel, panels_through
from ...metrics import dice
from ...tasks.records import Key
from ...volumes.windows import Window

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
    case: Case,
    loaded: LoadedCase,
    masks_kji: NDArray[np.uint8],
    title: str,
    path: Path,
    window: Window | None = None,
) -> None:
    """Draw each object's mask in its colour, and its reference in white dashes.

    The planes go through the middle of the errors in the slice, along K, with most errors, of the
    object with the lowest Dice. CT by the modality of the case is shown in a window for CT.

    Args:
        case: the case.
        loaded: its image and labels.
        masks_kji: as `run_case` returns it, bit n for object n.
        title: the title.
        path: the file.
        window: the window that the user chose; None for the one that fits.
    """
    outlines = []
    pairs = []
    for n, (value, name) in enumerate(case.objects[:PICTURED]):
        mask = (masks_kji >> n) & 1
        reference = loaded.label.array_kji == value
        outlines.append(Outline.from_mask(name, mask, COLOURS[n]))
        outlines.append(Outline.from_mask("reference", reference, _REFERENCE_COLOUR, dashed=True))
        pairs.append((reference, mask))
    at_kji = _worst_place(*min(pairs, key=lambda pair: dice(*pair)))
    if len(case.objects) > PICTURED:
        title += f", the first {PICTURED} of {len(case.objects)} objects"
    image = replace(loaded.image, modality=case.modality) if case.modality == "CT" else loaded.image
    scene = picture.Scene(image, outlines, window=window)
    figure = picture.draw_panels(scene, panels_through(scene, at_kji), title, indices=False)
    picture.write_picture(figure, path)


def _worst_place(reference: NDArray[Any], mask: NDArray[Any]) -> list[int] | None:
    """A voxel (k, j, i) among the errors; None if the masks are equal."""
    error = reference != mask
    worst = int(np.count_nonzero(error, axis=(1, 2)).argmax())
    place = middle_voxel(error[worst])
    return None if place is None else [worst, int(place[0]), int(place[1])]
