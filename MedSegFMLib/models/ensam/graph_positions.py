"""Inputs of ENSAM's graphs for token positions: `network.positions` in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output
from .network.config import STRIDE, PositionKind
from .network.graphs import TOKEN_AXIS

_HEADS, _HEAD_DIM = 4, 32

# The name and shape of each kind's parameter.
_PARAMETERS: dict[PositionKind, tuple[str, tuple[int, ...]]] = {
    "liere": ("generators", (3, _HEAD_DIM * (_HEAD_DIM - 1) // 2)),
    "rope": ("frequencies", (3, _HEADS, _HEAD_DIM // 2)),
    "absolute": ("waves.frequencies", (3, _HEADS, _HEAD_DIM // 2)),
}


def parameter(kind: PositionKind, block: int) -> tuple[str, tuple[int, ...]]:
    """The name in the state dict, and the shape, of an interaction block's learned parameter."""
    name, shape = _PARAMETERS[kind]
    return f"interactions.{block}.positions.{name}", shape


class Positions:
    """The position encoding of one interaction block."""

    def __init__(self, kind: PositionKind, block: int, arrays: Mapping[str, Logits]) -> None:
        self._axis = TOKEN_AXIS[kind]
        self._learned = arrays[parameter(kind, block)[0]]
        turns: dict[PositionKind, Callable[[Logits], Logits]] = {
            "liere": self._rotations,
            "rope": self._waves,
            "absolute": self._places,
        }
        self._turns = turns[kind]

    def of_prompts(self, positions: Logits) -> Logits:
        """The encoding of (n, 3) positions, which run from 0 to about 1."""
        # Parameters that are too large give NaN, which the check of the answer reports.
        with np.errstate(over="ignore", invalid="ignore"):
            return np.ascontiguousarray(self._turns(positions), np.float32)

    def of_image(self, cells: int, scale_kji: Logits) -> Logits:
        """The encoding of all tokens of a cube of cells, with the axes k, j and i."""
        count = cells // STRIDE
        centres = (np.arange(count, dtype=np.float32) + 0.5) * STRIDE - 0.5
        grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
        turns = self.of_prompts(grid.reshape(-1, 3) * scale_kji)
        shape = turns.shape
        return turns.reshape(*shape[: self._axis], count, count, count, *shape[self._axis + 1 :])

    def _rotations(self, positions: Logits) -> Logits:
        """(1, n, d, d)."""
        from scipy.linalg import expm

        skew = np.zeros((len(positions), _HEAD_DIM, _HEAD_DIM), dtype=np.float32)
        rows, columns = np.triu_indices(_HEAD_DIM, k=1)
        skew[:, rows, columns] = positions @ self._learned
        check_finite_output(skew, "ensam")
        result: Logits = expm(skew - skew.transpose(0, 2, 1))[None]
        return result

    def _waves(self, positions: Logits) -> Logits:
        """(2, 1, heads, n, d / 2): cosines and sines."""
        angles = np.einsum("nx,xhp->hnp", positions, self._learned)
        return np.stack((np.cos(angles), np.sin(angles)))[:, None]

    def _places(self, positions: Logits) -> Logits:
        """(1, heads, n, d): vectors of length 1."""
        vectors = np.concatenate(tuple(self._waves(positions)), axis=-1)
        result: Logits = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        return result
