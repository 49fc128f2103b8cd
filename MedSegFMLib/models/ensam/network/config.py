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

# The kinds of prompt tokens; the numbers index the learned vectors.
BOX_START, BOX_END, FOREGROUND, BACKGROUND = range(4)

# Voxels along each side of one token at the coarsest level.
STRIDE = 8
# Instance norm needs more than one token, so every side is padded to two of them.
_SMALLEST_SIDE = 2 * STRIDE
# A cube of more cells needs tens of gigabytes.
_LARGEST_SIDE = 256


@dataclass(frozen=True)
class EnsamConfig:
    """The choices that the ENSAM paper leaves open; the paper's network is the default.

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
            object always has the same size; the paper's network processes the voxels.

    Raises:
        ModelError: For any other value.
    """

    skip: Skip = "concat"
    positions: PositionKind = "liere"
    millimetres: bool = False
    dense_prompts: bool = False
    cells: int = 32

    def __post_init__(self) -> None:
        for name, allowed in (("skip", get_args(Skip)), ("positions", get_args(PositionKind))):
            value = getattr(self, name)
            if value not in allowed:
                raise ModelError(
                    f"ENSAM's {name} is {value!r}; it must be {' or '.join(map(repr, allowed))}."
                )
        for name in ("millimetres", "dense_prompts"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ModelError(f"ENSAM's {name} is {value!r}; it must be true or false.")
        is_size = type(self.cells) is int and 0 < self.cells <= _LARGEST_SIDE
        if not is_size or padded_side(self.cells) != self.cells:
            raise ModelError(
                f"ENSAM's cells is {self.cells!r}; it must be a multiple of {STRIDE} from "
                f"{_SMALLEST_SIDE} on, at most {_LARGEST_SIDE}."
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
        if not isinstance(values, dict) or set(values) != names:
            raise ModelError(
                f"ENSAM's configuration is {text[:200]}; it must give {', '.join(sorted(names))}."
            )
        return cls(**values)


def padded_side(side: int) -> int:
    """The side in voxels after the network's padding: a multiple of 8, at least 16."""
    return max(_SMALLEST_SIDE, math.ceil(side / STRIDE) * STRIDE)
