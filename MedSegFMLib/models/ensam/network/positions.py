"""Position encodings of tokens, applied to the queries and keys of attention.

Positions are (B, n, 3) float32 in (k, j, i) order, already divided by the longest side of the
image, so that they run from 0 to about 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import PositionKind

# The slowest and fastest rotation, in radians from one end of the longest side to the other.
_ROPE_SLOWEST, _ROPE_FASTEST = 1.0, 64.0


class LierePositions(nn.Module):
    """LieRE: the rotation exp(x0 A0 + x1 A1 + x2 A2), all A skew-symmetric and learned.

    The A do not commute, so the product of a query's and a key's rotation is not a function of
    their distance alone: attention is relative only approximately. The heads share the A.

    Ostmeier et al., "LieRE: Lie rotational positional encodings", 2024, equation 5; generators
    start uniform in 0 to 2 pi as there.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        rows, columns = torch.triu_indices(head_dim, head_dim, offset=1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self.generators = nn.Parameter(torch.rand(3, len(rows)) * 2 * math.pi)

    def forward(self, positions: Tensor) -> Tensor:
        """(B, n, 3) positions to (B, n, d, d) rotation matrices, float32 even under autocast."""
        with torch.autocast(positions.device.type, enabled=False):
            upper = self.generators.new_zeros(3, self.head_dim, self.head_dim)
            upper[:, self.rows, self.columns] = self.generators
            skew = upper - upper.transpose(1, 2)
            return torch.matrix_exp(torch.einsum("bnx,xij->bnij", positions.float(), skew.float()))

    def rotate(self, vectors: Tensor, rotation: Tensor) -> Tensor:
        """Rotate (B, heads, n, d) vectors by the result of `forward` for their n positions."""
        return torch.einsum("bnij,bhnj->bhni", rotation.to(vectors.dtype), vectors)


class RopePositions(nn.Module):
    """RoPE-mixed: each pair of numbers rotates by an angle linear in the position.

    The angles' frequencies are learned per head. Rotations in one plane commute, so attention
    depends only on the distance of query and key.

    Heo et al., "Rotary position embedding for vision transformer", 2024, equation 10, in 3D.
    """

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        speeds = torch.logspace(math.log10(_ROPE_SLOWEST), math.log10(_ROPE_FASTEST), head_dim // 2)
        directions = nn.functional.normalize(torch.randn(3, heads, head_dim // 2), dim=0)
        self.frequencies = nn.Parameter(directions * speeds)

    def forward(self, positions: Tensor) -> Tensor:
        """(B, n, 3) positions to (2, B, heads, n, d / 2): cosines and sines of the angles."""
        with torch.autocast(positions.device.type, enabled=False):
            angles = torch.einsum("bnx,xhp->bhnp", positions.float(), self.frequencies.float())
            return torch.stack((angles.cos(), angles.sin()))

    def rotate(self, vectors: Tensor, rotation: Tensor) -> Tensor:
        """Rotate (B, heads, n, d) vectors by the result of `forward` for their n positions."""
        cosines, sines = rotation.to(vectors.dtype)
        first, second = vectors.chunk(2, dim=-1)
        rotated = (first * cosines - second * sines, first * sines + second * cosines)
        return torch.cat(rotated, dim=-1)


class AbsolutePositions(nn.Module):
    """No rotation: a vector that encodes the position is added to queries and keys.

    The alternative that the paper compares with. Fourier features as in Tancik et al., "Fourier
    features let networks learn high frequency functions in low dimensional domains", 2020, equation
    5, with learned frequencies as for the rotations.
    """

    def __init__(self, heads: int, head_dim: int) -> None:
        super().__init__()
        self.waves = RopePositions(heads, head_dim)

    def forward(self, positions: Tensor) -> Tensor:
        """(B, n, 3) positions to vectors (B, heads, n, d) of length 1."""
        cosines, sines = self.waves(positions)
        return nn.functional.normalize(torch.cat((cosines, sines), dim=-1), dim=-1)

    def rotate(self, vectors: Tensor, rotation: Tensor) -> Tensor:
        """Add the position vectors to (B, heads, n, d) vectors."""
        return vectors + rotation.to(vectors.dtype)


Positions = LierePositions | RopePositions | AbsolutePositions


def build_positions(kind: PositionKind, heads: int, head_dim: int) -> Positions:
    """The position encoding of that kind."""
    if kind == "liere":
        return LierePositions(head_dim)
    return RopePositions(heads, head_dim) if kind == "rope" else AbsolutePositions(heads, head_dim)
