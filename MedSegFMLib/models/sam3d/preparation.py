"""Changes of a volume before its slices are encoded, as in the decoder's training: options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...segmenter import ModelOption
from ...volumes.region import Shape, shape_triple
from .patches import ZScores

Mirrors = Literal["no", "slices", "all"]

MIRROR_OPTION = ModelOption(
    "mirrors",
    "Mirror images",
    "Average over mirror images: slices in either order, or all, which takes four times as long",
    ("no", "slices", "all"),
    "no",
)
SPACING_OPTION = ModelOption(
    "spacing",
    "Spacing",
    "The millimetres along i, j and k to resample to",
    (),
    "as it is",
    at_import="text",
)
CLIP_OPTION = ModelOption(
    "clip", "Clip", "The lowest and the highest intensity", (), "no limits", at_import="text"
)
SCORES_OPTION = ModelOption(
    "scores",
    "Z-scores",
    "Mean and deviation of the training",
    (),
    "of the volume",
    at_import="text",
)


@dataclass(frozen=True)
class Preparation:
    """Changes of the images of a volume before their slices are encoded.

    Attributes:
        spacing_kji_mm: The spacing that they are resampled to; None if they stay.
        limits: The lowest and the highest intensity, to which others are set; None for no limits.
        scores: The z-scores; None for those of each volume.
        mirrors: The mirror images whose answers are averaged: "no", "slices" in either order, or
            "all" eight.
    """

    spacing_kji_mm: tuple[float, float, float] | None = None
    limits: tuple[float, float] | None = None
    scores: ZScores | None = None
    mirrors: Mirrors = "no"

    def shape(self, shape_kji: Shape, spacing_kji_mm: Sequence[float]) -> Shape:
        """The shape of a volume after resampling; every side has a voxel at least."""
        if self.spacing_kji_mm is None:
            return shape_kji
        sides = zip(shape_kji, spacing_kji_mm, self.spacing_kji_mm, strict=True)
        return shape_triple(max(1, round(n * old / new)) for n, old, new in sides)

    def limited(self, array_kji: NDArray[Any]) -> NDArray[Any]:
        """One image, with the intensities beyond the limits set to them."""
        return array_kji if self.limits is None else np.clip(array_kji, *self.limits)

    @property
    def flips(self) -> list[tuple[int, ...]]:
        """The axes j and i (1 and 2) along which slices are mirrored, for each encoding."""
        if self.mirrors != "all":
            return [()]
        return [
            tuple(axis for axis, used in zip((1, 2), uses, strict=True) if used)
            for uses in product((False, True), repeat=2)
        ]


def parse_preparation(spacing: str, clip: str, scores: str, mirrors: str) -> Preparation:
    """The options as the command line gives them; "" is the default of each.

    Raises:
        ModelError: If one is invalid.
    """
    mm = _numbers("spacing", spacing, 3, "0.76,0.76,1.5 for i, j and k")
    if mm and min(mm) <= 0:
        raise ModelError(f"spacing is '{spacing}'; give millimetres above 0.")
    limits = _numbers("clip", clip, 2, "-160,240")
    if limits and limits[0] >= limits[1]:
        raise ModelError(f"clip is '{clip}'; give the lowest intensity first.")
    known = _numbers("scores", scores, 2, "60.1,120.4 for mean and deviation")
    if known and known[1] <= 0:
        raise ModelError(f"scores is '{scores}'; give a deviation above 0.")
    chosen: Mirrors | None = None
    for choice in ("no", "slices", "all"):
        if mirrors == choice:
            chosen = choice
    if chosen is None:
        raise ModelError(f"mirrors is '{mirrors}'; give no, slices or all.")
    return Preparation(
        (mm[2], mm[1], mm[0]) if mm else None,
        (limits[0], limits[1]) if limits else None,
        ZScores(known[0], known[1]) if known else None,
        chosen,
    )


def _numbers(name: str, text: str, count: int, example: str) -> list[float]:
    """`count` numbers, separated by commas; [] for an empty text."""
    if not text.strip():
        return []
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(isfinite, numbers)):
        raise ModelError(f"{name} is '{text}'; give {count} numbers, such as {example}.")
    return numbers
