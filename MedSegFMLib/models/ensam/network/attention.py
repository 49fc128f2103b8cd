"""Attention between prompts and image on the unit hypersphere.

All tokens are vectors of length 1, and every step rotates them slightly towards its result: h <-
Norm(h + alpha (Norm(step(h)) - h)), alpha learned per dimension. Loshchilov et al., "nGPT:
Normalized Transformer with Representation Learning on the Hypersphere", 2024, equations 10 to 16
and 20. Matrices without bias; the heads of attention share one learned scale.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Activation, AlphaStart, EnsamConfig
from .positions import build_positions

# Of the order of one divided by the number of blocks, of which ENSAM has two.
_HALF_ALPHA = 0.5
# The start of alpha in nGPT, whose parameter starts at 1 / sqrt(d) instead (section 2.5 there).
_NGPT_ALPHA = 0.05

ACTIVATIONS = {"silu": functional.silu, "relu": functional.relu}


def l2_normalise(vectors: Tensor, dim: int = -1) -> Tensor:
    """Vectors of length 1 in the same direction; zero vectors are unchanged."""
    return functional.normalize(vectors, dim=dim)


class UnitLinear(nn.Linear):
    """A matrix without bias whose vectors in embedding space are kept at length 1.

    Args:
        inputs: The input dimension.
        outputs: The output dimension.
        reads: Whether the embedding is the input (the rows are the vectors) or the output (the
            columns).
    """

    def __init__(self, inputs: int, outputs: int, reads: bool) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.unit_dim = 1 if reads else 0
        nn.init.normal_(self.weight)
        self.normalise_()

    @torch.no_grad()
    def normalise_(self) -> None:
        """Restore the vectors to length 1; call it after every step of the optimiser."""
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

    def forward(
        self, queries: Tensor, keys: Tensor, tokens: Tensor, used: Tensor | None = None
    ) -> Tensor:
        """Attention of rotated `queries` to `tokens` (B, m, dim) with rotated `keys`.

        Tokens that are not `used` (B, 1, 1, m) bool get no attention; None: all are.
        """
        attended = functional.scaled_dot_product_attention(
            queries, keys, self.split(self.value(tokens)), used, scale=math.sqrt(queries.shape[-1])
        )
        result: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return result


class GatedMlp(nn.Module):
    """out(up(h) * activation(sqrt(dim) gate(h))); the factor gives the gate unit variance.

    The paper names a ReLU; that it is the gate of nGPT's MLP agrees with its parameter count.
    """

    def __init__(self, dim: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.up = UnitLinear(dim, hidden, reads=True)
        self.gate = UnitLinear(dim, hidden, reads=True)
        self.down = UnitLinear(hidden, dim, reads=False)
        self.gain = math.sqrt(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, dim) to the same shape."""
        gate = self.activation(self.gain * self.gate(tokens))
        result: Tensor = self.down(self.up(tokens) * gate)
        return result


class SphereStep(nn.Module):
    """The residual step on the hypersphere, with its learned alpha."""

    def __init__(self, dim: int, alpha: AlphaStart) -> None:
        super().__init__()
        first = dim**-0.5 if alpha == "ngpt" else _HALF_ALPHA
        # How much of alpha one unit of the parameter is.
        self.unit = _NGPT_ALPHA / first if alpha == "ngpt" else 1.0
        self.alpha = nn.Parameter(torch.full((dim,), first))

    def forward(self, tokens: Tensor, computed: Tensor) -> Tensor:
        """Unit `tokens` rotated towards `computed`."""
        alpha = self.unit * self.alpha
        return l2_normalise(tokens + alpha * (l2_normalise(computed) - tokens))


class InteractionBlock(nn.Module):
    """Self-attention of prompts; prompts attend to the image; MLP; the image attends to prompts."""

    def __init__(self, dim: int, heads: int, hidden: int, config: EnsamConfig) -> None:
        super().__init__()
        self.positions = build_positions(config.positions, heads, dim // heads)
        self.prompts_to_prompts = UnitAttention(dim, heads)
        self.prompts_to_image = UnitAttention(dim, heads)
        self.mlp = GatedMlp(dim, hidden, config.activation)
        self.image_to_prompts = UnitAttention(dim, heads)
        self.turns = nn.ModuleList(SphereStep(dim, config.alpha) for _ in range(4))

    def forward(
        self,
        prompts: Tensor,
        image: Tensor,
        prompt_rotation: Tensor,
        image_rotation: Tensor,
        used: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The updated unit tokens `prompts` (B, n, dim) and `image` (B, m, dim).

        Args:
            prompts: (B, n, dim).
            image: (B, m, dim).
            prompt_rotation: The result of `positions` for the prompts' positions.
            image_rotation: The result of `positions` for the image tokens' positions.
            used: (B, 1, 1, n) bool, which prompts get attention; None for all.
        """
        rotate = self.positions.rotate
        step = self.prompts_to_prompts
        queries = rotate(step.queries(prompts), prompt_rotation)
        keys = rotate(step.keys(prompts), prompt_rotation)
        prompts = self.turns[0](prompts, step(queries, keys, prompts, used))

        step = self.prompts_to_image
        queries = rotate(step.queries(prompts), prompt_rotation)
        keys = rotate(step.keys(image), image_rotation)
        prompts = self.turns[1](prompts, step(queries, keys, image))

        prompts = self.turns[2](prompts, self.mlp(prompts))

        step = self.image_to_prompts
        queries = rotate(step.queries(image), image_rotation)
        keys = rotate(step.keys(prompts), prompt_rotation)
        return prompts, self.turns[3](image, step(queries, keys, prompts, used))
