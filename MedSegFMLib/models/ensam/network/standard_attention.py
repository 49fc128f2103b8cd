"""The interaction block with attention as usual, to measure what normalised attention is worth.

Vaswani et al., "Attention is all you need", 2017, with layer norms before each step (Xiong et al.,
"On layer normalization in the transformer architecture", 2020). Matrices, heads, positions and
order of the steps are those of `attention`; what is missing is the hypersphere: no token, query,
key or matrix has a length that is kept, the softmax scale is 1/sqrt(d), and residuals are added.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .attention import ACTIVATIONS
from .config import EnsamConfig
from .positions import build_positions


class StandardAttention(nn.Module):
    """Scaled dot-product attention with positions applied to queries and keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(dim, dim, bias=False) for _ in range(4)
        )

    def split(self, tokens: Tensor) -> Tensor:
        """(B, n, dim) to (B, heads, n, dim / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def queries(self, tokens: Tensor) -> Tensor:
        """(B, heads, n, d) queries, not yet rotated."""
        return self.split(self.query(tokens))

    def keys(self, tokens: Tensor) -> Tensor:
        """(B, heads, n, d) keys, not yet rotated."""
        return self.split(self.key(tokens))

    def forward(
        self, queries: Tensor, keys: Tensor, tokens: Tensor, used: Tensor | None = None
    ) -> Tensor:
        """As `attention.UnitAttention.forward`."""
        attended = functional.scaled_dot_product_attention(
            queries, keys, self.split(self.value(tokens)), used
        )
        result: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return result


class StandardBlock(nn.Module):
    """As `attention.InteractionBlock`; tokens have any length."""

    def __init__(self, dim: int, heads: int, hidden: int, config: EnsamConfig) -> None:
        super().__init__()
        self.positions = build_positions(config.positions, heads, dim // heads)
        self.prompts_to_prompts = StandardAttention(dim, heads)
        self.prompts_to_image = StandardAttention(dim, heads)
        self.up, self.gate = (nn.Linear(dim, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, dim, bias=False)
        self.activation = ACTIVATIONS[config.activation]
        self.image_to_prompts = StandardAttention(dim, heads)
        self.prompt_norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(4))
        self.image_norm = nn.LayerNorm(dim)

    def forward(
        self,
        prompts: Tensor,
        image: Tensor,
        prompt_rotation: Tensor,
        image_rotation: Tensor,
        used: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `attention.InteractionBlock.forward`."""
        rotate, seen = self.positions.rotate, self.image_norm(image)
        step, normed = self.prompts_to_prompts, self.prompt_norms[0](prompts)
        queries = rotate(step.queries(normed), prompt_rotation)
        keys = rotate(step.keys(normed), prompt_rotation)
        prompts = prompts + step(queries, keys, normed, used)

        step, normed = self.prompts_to_image, self.prompt_norms[1](prompts)
        queries = rotate(step.queries(normed), prompt_rotation)
        keys = rotate(step.keys(seen), image_rotation)
        prompts = prompts + step(queries, keys, seen)

        normed = self.prompt_norms[2](prompts)
        prompts = prompts + self.down(self.up(normed) * self.activation(self.gate(normed)))

        step, normed = self.image_to_prompts, self.prompt_norms[3](prompts)
        queries = rotate(step.queries(seen), image_rotation)
        keys = rotate(step.keys(normed), prompt_rotation)
        return prompts, image + step(queries, keys, normed, used)
