"""How prompts and image tell each other what they know, on the unit hypersphere.

All tokens are vectors of length 1, and every step turns them a little toward what it computed:
h <- Norm(h + alpha (Norm(step(h)) - h)), alpha learned per dimension. Loshchilov et al., "nGPT:
Normalized Transformer with Representation Learning on the Hypersphere", 2024, equations 10 to 16
and 20. Matrices without bias; the heads of attention share one learned scale.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import PositionKind
from .positions import build_positions

# In nGPT of the order of one over the number of blocks, of which ENSAM has two.
_FIRST_ALPHA = 0.5


def l2_normalise(vectors: Tensor, dim: int = -1) -> Tensor:
    """Vectors of length 1 in the same direction; a vector of zeros stays."""
    return functional.normalize(vectors, dim=dim)


class UnitLinear(nn.Linear):
    """A matrix whose vectors in embedding space are kept at length 1, without bias.

    reads: whether the embedding goes in (its rows are the vectors) or comes out (its columns).
    """

    def __init__(self, inputs: int, outputs: int, reads: bool) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.unit_dim = 1 if reads else 0
        nn.init.normal_(self.weight)
        self.normalise_()

    @torch.no_grad()
    def normalise_(self) -> None:
        """Bring the vectors back to length 1; for after every step of the optimiser."""
        self.weight.copy_(l2_normalise(self.weight, dim=self.unit_dim))


class UnitAttention(nn.Module):
    """Attention with queries and keys of one learned length; the softmax scale is sqrt(d)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = UnitLinear(dim, dim, reads=True)
        self.key = UnitLinear(dim, dim, reads=True)
        self.value = UnitLinear(dim, dim, reads=True)
        self.out = UnitLinear(dim, dim, reads=False)
        self.length = nn.Parameter(torch.ones(()))

    def split(self, tokens: Tensor) -> Tensor:
        """(B, n, dim) to (B, heads, n, dim / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def queries(self, tokens: Tensor) -> Tensor:
        """(B, heads, n, d) queries, not yet rotated."""
        return l2_normalise(self.split(self.query(tokens))) * self.length

    def keys(self, tokens: Tensor) -> Tensor:
        """(B, heads, n, d) keys, not yet rotated."""
        return l2_normalise(self.split(self.key(tokens))) * self.length

    def forward(self, queries: Tensor, keys: Tensor, tokens: Tensor) -> Tensor:
        """What rotated `queries` take from `tokens` (B, m, dim), whose rotated `keys` are given."""
        attended = functional.scaled_dot_product_attention(
            queries, keys, self.split(self.value(tokens)), scale=math.sqrt(queries.shape[-1])
        )
        result: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return result


class GatedMlp(nn.Module):
    """out(up(h) * SiLU(sqrt(dim) gate(h))); the factor brings the gate to unit variance."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.up = UnitLinear(dim, hidden, reads=True)
        self.gate = UnitLinear(dim, hidden, reads=True)
        self.down = UnitLinear(hidden, dim, reads=False)
        self.gain = math.sqrt(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, dim) to the same shape."""
        result: Tensor = self.down(self.up(tokens) * functional.silu(self.gain * self.gate(tokens)))
        return result


class SphereStep(nn.Module):
    """The residual step on the hypersphere, with its learned alpha."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((dim,), _FIRST_ALPHA))

    def forward(self, tokens: Tensor, computed: Tensor) -> Tensor:
        """Unit `tokens` turned toward `computed`."""
        return l2_normalise(tokens + self.alpha * (l2_normalise(computed) - tokens))


class InteractionBlock(nn.Module):
    """Prompts among themselves; prompts look at the image; MLP; the image looks at the prompts."""

    def __init__(self, dim: int, heads: int, hidden: int, positions: PositionKind) -> None:
        super().__init__()
        self.positions = build_positions(positions, heads, dim // heads)
        self.prompts_to_prompts = UnitAttention(dim, heads)
        self.prompts_to_image = UnitAttention(dim, heads)
        self.mlp = GatedMlp(dim, hidden)
        self.image_to_prompts = UnitAttention(dim, heads)
        self.turns = nn.ModuleList(SphereStep(dim) for _ in range(4))

    def forward(
        self, prompts: Tensor, image: Tensor, prompt_rotation: Tensor, image_rotation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Unit tokens `prompts` (B, n, dim) and `image` (B, m, dim) after they met.

        prompt_rotation, image_rotation: what `positions` gives for where they are.
        """
        rotate = self.positions.rotate
        step = self.prompts_to_prompts
        queries = rotate(step.queries(prompts), prompt_rotation)
        keys = rotate(step.keys(prompts), prompt_rotation)
        prompts = self.turns[0](prompts, step(queries, keys, prompts))

        step = self.prompts_to_image
        queries = rotate(step.queries(prompts), prompt_rotation)
        keys = rotate(step.keys(image), image_rotation)
        prompts = self.turns[1](prompts, step(queries, keys, image))

        prompts = self.turns[2](prompts, self.mlp(prompts))

        step = self.image_to_prompts
        queries = rotate(step.queries(image), image_rotation)
        keys = rotate(step.keys(prompts), prompt_rotation)
        return prompts, self.turns[3](image, step(queries, keys, prompts))
