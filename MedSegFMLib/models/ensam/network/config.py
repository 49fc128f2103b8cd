"""The parts of an ENSAM network that need no torch: configuration, token kinds and sizes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ....errors import ModelError
from ....system.json_files import JsonError, parse_json

Skip = Literal["concat", "add"]
PositionKind = Literal["liere", "rope", "absolute"]
Activation = Literal["silu", "relu"]
AlphaStart = Literal["half", "ngpt"]
AttentionKind = Literal["normalised", "standard"]

# The kinds of prompt tokens; the numbers index the learned vectors.
BOX_START, BOX_END, FOREGROUND, BACKGROUND = range(4)
# The kind of a token without effect, where prompts are drawn.
UNUSED = -1

# Voxels along each side of one token at the coarsest level.
STRIDE = 8
# Instance norm needs more than one token, so every side is padded to two of them.
_SMALLEST_SIDE = 2 * STRIDE
# A cube of more cells needs tens of gigabytes.
_LARGEST_SIDE = 256
# The channels of the finest level, and the depth, that are still a light network.
_WIDTHS = (4, 64)
_DEPTHS = (1, 6)


def padded_side(side: int) -> int:
    """The side in voxels after the network's padding: a multiple of 8, at least 16."""
    return max(_SMALLEST_SIDE, math.ceil(side / STRIDE) * STRIDE)


@dataclass(frozen=True)
class EnsamConfig:
    """The choices that the ENSAM paper leaves open, and those that ablations vary.

    Files of earlier versions lack the fields from `activation` on, which then have their defaults.
    `PAPER` is the network as the paper describes it.

    Attributes:
        skip: The merging of encoder features in the decoder: "concat" (then a 1x1x1 convolution) or
            "add".
        positions: "liere" (learned rotations, only approximately relative), "rope" (rotations in
            2x2 blocks, exactly relative) or "absolute" (a vector for each position).
        millimetres: Whether distances between tokens are in millimetres, which accounts for
            anisotropic voxels, or in voxels as in the paper.
        dense_prompts: Whether prompts and previous logits are also drawn at full resolution for the
            decoder; otherwise they are combined with the image at the coarsest level only, as in
            the paper.
        cells: The number of cells along each axis to which a region is resampled, so that a boxed
            object always has the same size. Without meaning if the network is `native`.
        native: Whether the network processes the voxels of a region, as in the paper, pooled where
            they are too many (`voxel_grid`), instead of a fixed number of cells.
        activation: The gate of the MLP, "silu" as in nGPT, or "relu" as in the paper.
        alpha: The start of the learned step on the hypersphere: "half" for 0.5, or "ngpt" for 0.05
            with the scale of nGPT.
        attention: "normalised" on the hypersphere, as in the paper, or "standard" with layer norms
            and plain residuals.
        width: The channels of the finest level; each coarser level has twice as many. 16 in the
            paper.
        depth: The interaction blocks, as many residual blocks at the second coarsest level and
            twice as many at the coarsest. 2 in the paper.

    Raises:
        ModelError: For any other value.
    """

    skip: Skip = "concat"
    positions: PositionKind = "liere"
    millimetres: bool = False
    dense_prompts: bool = False
    cells: int = 32
    native: bool = False
    activation: Activation = "silu"
    alpha: AlphaStart = "half"
    attention: AttentionKind = "normalised"
    width: int = 16
    depth: int = 2

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            value, allowed = getattr(self, name), get_args(kind)
            if value not in allowed:
                raise ModelError(
                    f"ENSAM's {name} is {value!r}; it must be {' or '.join(map(repr, allowed))}."
                )
        for name in ("millimetres", "dense_prompts", "native"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ModelError(f"ENSAM's {name} is {value!r}; it must be true or false.")
        is_size = type(self.cells) is int and 0 < self.cells <= _LARGEST_SIDE
        if not is_size or padded_side(self.cells) != self.cells:
            raise ModelError(
                f"ENSAM's cells is {self.cells!r}; it must be a multiple of {STRIDE} from "
                f"{_SMALLEST_SIDE} on, at most {_LARGEST_SIDE}."
            )
        for name, (least, most) in (("width", _WIDTHS), ("depth", _DEPTHS)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most or value % least:
                step = f"a multiple of {least}" if least > 1 else "a whole number"
                raise ModelError(
                    f"ENSAM's {name} is {value!r}; it must be {step} from {least} to {most}."
                )

    def to_json(self) -> str:
        """The configuration as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EnsamConfig:
        """Parse the result of `to_json`.

        Raises:
            ModelError: If the text is not such an object.
        """
        try:
            values: Any = parse_json(text)
        except JsonError as error:
            raise ModelError(f"ENSAM's configuration {text[:80]!r} is not JSON.") from error
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not _FIRST_FIELDS <= set(values) <= names:
            raise ModelError(
                f"ENSAM's configuration is {text[:200]}; it must give {', '.join(sorted(names))}."
            )
        return cls(**values)


_CHOICES = {
    "skip": Skip,
    "positions": PositionKind,
    "activation": Activation,
    "alpha": AlphaStart,
    "attention": AttentionKind,
}
# The fields that files of all versions have.
_FIRST_FIELDS = {"skip", "positions", "millimetres", "dense_prompts", "cells"}

PAPER = EnsamConfig(native=True, activation="relu", alpha="ngpt")
"""The network of the paper, as far as it is described."""
