"""Positions in RAS millimetres: from three numbers, which are checked, or from a voxel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..errors import PromptError, numbers_text
from ..volumes.geometry import Geometry

Position = tuple[float, float, float]


def as_position(values: Iterable[float]) -> Position:
    """Three numbers as a position, unchecked."""
    r, a, s = (float(value) for value in values)
    return (r, a, s)


def checked_position(values: Iterable[float], what: str) -> Position:
    """Three finite numbers as a position.

    Args:
        values: the numbers.
        what: what is there, for the message.

    Raises:
        PromptError: they are not three finite numbers.
    """
    try:
        numbers = [float(v) for v in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError(f"The {what} is {values!r}; give three numbers.") from error
    if len(numbers) != 3:
        raise PromptError(f"The {what} has {len(numbers)} numbers; give three.")
    if not all(map(math.isfinite, numbers)):
        raise PromptError(f"The {what} is {numbers_text(numbers)}; its numbers must be finite.")
    return as_position(numbers)


def voxel_position(geometry: Geometry, position_ijk: Sequence[float], what: str) -> Position:
    """The position of a voxel (i, j, k), which may be fractions.

    Args:
        geometry: the grid of the volume.
        position_ijk: the voxel.
        what: what is there, for the message.

    Raises:
        PromptError: it is outside the volume, or not three finite numbers.
    """
    indices = checked_position(position_ijk, what)
    size_ijk = geometry.shape_kji[::-1]
    if not all(-0.5 <= v < n - 0.5 for v, n in zip(indices, size_ijk, strict=True)):
        raise PromptError(
            f"The {what} {numbers_text(indices)} (i, j, k) is outside the volume, which has "
            f"{numbers_text(size_ijk)} voxels counted from 0."
        )
    return checked_position(geometry.ras_from_ijk(indices), what)
