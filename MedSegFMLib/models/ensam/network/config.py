"""What there is to know about an ENSAM network without torch: its choices, tokens and sizes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ....errors import ModelError

Skip = Literal["concat", "add"]
PositionKind = Literal["liere", "rope", "absolute"]

# What a prompt token says; the numbers index the learned vectors.
BOX_START, BOX_END, FOREGROUND, BACKGROUND = range(4)

# Voxels along each side of one token at the coarsest level.
STRIDE = 8
# Instance norm needs more than one token, so every side is padded to two of them.
_SMALLEST_SIDE = 2 * STRIDE


@dataclass(frozen=True)
class EnsamConfig:
    """The choices left open by the ENSAM paper, which is the default.

    skip: how the decoder takes the encoder's features, "concat" (then a 1x1x1 convolution) or
        "add".
    positions: "liere" (learned rotations, only approximately relative), "rope" (rotations in 2x2
        blocks, exactly relative) or "absolute" (a vector for each place).
    millimetres: whether distances between tokens are counted in millimetres, so that anisotropic
        voxels are seen as they are, or in voxels as in the paper.
    dense_prompts: whether prompts and previous logits are also drawn at full resolution for the
        decoder; otherwise they meet the image at the coarsest level alone, as in the paper.
    cells: to how many cells along each axis a region is resampled before the network sees it, so
        that a boxed object always has the same size; the paper's network sees the voxels.

    Raises ModelError for any other value.
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
        if type(self.cells) is not int or self.cells <= 0 or padded_side(self.cells) != self.cells:
            raise ModelError(
                f"ENSAM's cells is {self.cells!r}; it must be a multiple of {STRIDE} from "
                f"{_SMALLEST_SIDE} on."
            )

    def to_json(self) -> str:
        """The choices as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EnsamConfig:
        """Read what `to_json` wrote; ModelError where it is no such object."""
        try:
            values: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"ENSAM's configuration {text[:80]!r} is no JSON.") from error
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            raise ModelError(
                f"ENSAM's configuration is {text[:200]}; it must give {', '.join(sorted(known))}."
            )
        return cls(**values)


def padded_side(side: int) -> int:
    """To how many voxels the network pads a side of so many: a multiple of 8, 16 or more."""
    return max(_SMALLEST_SIDE, math.ceil(side / STRIDE) * STRIDE)
