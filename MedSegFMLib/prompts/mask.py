"""Voxels of an existing segment as a prompt: packed, on a grid of their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import PromptError
from ..system.packed_text import text_of_bits
from ..volumes.geometry import Geometry
from ..volumes.masks import bounding_box
from ..volumes.region import Region
from ..volumes.volume import Volume

Role = Literal["start", "avoid", "keep"]

# A mask is held, sent and stored as a whole: 128 MiB of packed bits at most.
LARGEST_MASK_VOXELS = 1 << 30
_MOST_NAMED = 12


@dataclass(frozen=True)
class Mask:
    """Voxels of an existing segment, of a label map or of an earlier result.

    It has its own grid in RAS millimetres, so that it works in any resampling of the volume, and
    holds eight voxels in a byte. Two masks are equal if grid, voxels and role are.

    Attributes:
        geometry: the grid of the voxels.
        bits: the voxels in C order (k, j, i), as `numpy.packbits` packs them.
        role: what they mean. "start": the object as it is so far; the answer to a mask alone is the
            mask itself, and later prompts correct it. "avoid": its voxels do not belong to the
            object. "keep": every voxel of its grid stays as it is here, inside or outside; a click
            still decides its own voxel.

    Raises:
        PromptError: the voxels do not fit the grid, there are none (unless they are kept), or there
            are too many.
    """

    geometry: Geometry
    bits: bytes
    role: Role = "start"

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise PromptError(
                f"The mask has the role {self.role!r}; use {', '.join(get_args(Role))}."
            )
        size = prod(self.geometry.shape_kji)
        if size > LARGEST_MASK_VOXELS:
            raise PromptError(
                f"The mask has {size} voxels; it may have {LARGEST_MASK_VOXELS}, so crop it to the "
                "object."
            )
        if not isinstance(self.bits, bytes) or len(self.bits) != packed_size(size):
            raise PromptError(
                f"The mask does not have the {packed_size(size)} bytes of its {size} voxels; "
                "create it with Mask.from_array."
            )
        if size % 8 and self.bits[-1] & (0xFF >> size % 8):
            raise PromptError("The mask has voxels beyond its grid; create it with from_array.")
        if self.role != "keep" and self.bits.count(0) == len(self.bits):
            raise PromptError("The mask is empty; choose a segment with voxels.")

    def __repr__(self) -> str:
        return f"<Mask {self.role} of {self.count} voxels in {self.geometry.shape_kji}>"

    @classmethod
    def from_array(
        cls,
        array_kji: NDArray[Any],
        geometry: Geometry,
        labels: Collection[int] = (),
        role: Role = "start",
    ) -> Mask:
        """A mask of an array on a grid.

        Args:
            array_kji: bool, or labels as whole numbers of any type with 0 outside, (K, J, I).
            geometry: its grid.
            labels: the labels that belong to the mask; empty for all, which must be one label
                unless the role is "avoid".
            role: see `Mask`; unless it is "keep", the mask is cropped to its voxels.

        Raises:
            PromptError: the array is not a mask or label map of that grid, is empty, or lacks a
                label.
        """
        array = np.asarray(array_kji)
        if array.shape != geometry.shape_kji:
            raise PromptError(
                f"The mask has the shape {array.shape}, its grid {geometry.shape_kji}; they must "
                "agree."
            )
        inside = _inside(array, labels, several=role != "start")
        box = bounding_box(inside)
        if box is None and role != "keep":
            raise PromptError("The mask is empty; choose a segment with voxels.")
        if box is not None and role != "keep":
            inside, geometry = inside[box], geometry.crop(Region.from_slices(box))
        return cls(geometry, np.packbits(inside).tobytes(), role)

    @classmethod
    def from_volume(
        cls, volume: Volume, labels: Collection[int] = (), role: Role = "start"
    ) -> Mask:
        """A mask of a volume, such as `Prediction.mask` or a label map; see `from_array`."""
        return cls.from_array(volume.array_kji, volume.geometry, labels, role)

    @property
    def positive(self) -> bool:
        """Whether it says what belongs to its object, as a start does."""
        return self.role == "start"

    @property
    def array_kji(self) -> NDArray[np.bool_]:
        """The voxels, bool, (K, J, I) of the grid; unpacked anew at each call."""
        shape = self.geometry.shape_kji
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=prod(shape))
        return bits.view(bool).reshape(shape)

    @cached_property
    def count(self) -> int:
        """The number of voxels that are set."""
        return int(np.count_nonzero(self.array_kji))

    @cached_property
    def text(self) -> str:
        """The packed bits as text for JSON; made once, however often it is stored."""
        return text_of_bits(self.bits)

    def as_role(self, role: Role) -> Mask:
        """The same voxels in another role.

        Raises:
            PromptError: there are none, and the role needs some.
        """
        return self if role == self.role else Mask(self.geometry, self.bits, role)

    def on(self, geometry: Geometry) -> Mask:
        """The same voxels on another grid of the same shape, for instance of a moved patient."""
        return Mask(geometry, self.bits, self.role)


def packed_size(voxels: int) -> int:
    """The number of bytes for this many voxels."""
    return (voxels + 7) // 8


def _inside(array: NDArray[Any], labels: Collection[int], several: bool) -> NDArray[np.bool_]:
    """The voxels of a label map that have one of the labels."""
    if array.dtype.kind not in "biuf":
        raise PromptError(f"The mask is of {array.dtype}; give bool or whole numbers.")
    if array.dtype.kind == "b" and not labels:
        return array.astype(bool, copy=False)
    outside = array[array != 0]
    if array.dtype.kind == "f" and not (outside == np.rint(outside)).all():
        broken = outside[outside != np.rint(outside)][0]
        raise PromptError(
            f"The mask contains {broken:g}, but a mask has 0 and 1, and a label map whole numbers; "
            "threshold probabilities first, and give no image."
        )
    if outside.size and (outside == outside.flat[0]).all():
        present = outside[:1]
    else:
        present = np.unique(outside)
    if present.size and present[0] < 0:
        raise PromptError(
            f"The mask contains {present[0]:g}, but a label map has 0 outside and labels of 1 or "
            "more; is it an image?"
        )
    missing = [label for label in labels if label not in present]
    if missing:
        raise PromptError(f"The mask has no label {missing[0]}; {_named(present)}.")
    if labels:
        return np.isin(array, list(labels))
    if present.size > 1 and not several:
        raise PromptError(f"{_named(present).capitalize()}; choose one of them for the mask.")
    return np.asarray(array != 0)


def _named(present: NDArray[Any]) -> str:
    if not present.size:
        return "it has none"
    named = ", ".join(f"{label:g}" for label in present[:_MOST_NAMED])
    more = f" and {present.size - _MOST_NAMED} more" if present.size > _MOST_NAMED else ""
    return f"it has the label{'s' if present.size > 1 else ''} {named}{more}"
