"""ENSAM: native 3D segmentation from boxes and clicks, in 5.5 million parameters.

Stenhede, Bjørnstad and Ranjbar, "ENSAM: an efficient foundation model for interactive segmentation
of 3D medical images", 2025 (arXiv 2509.15874), implemented anew from its description. The paper
leaves biases, norms and sharing open. The arrangement here (no biases except in the head, affine
norms in the residual blocks, a gated MLP, one scale per attention, one set of LieRE generators per
interaction block) has 5,484,819 parameters, and 5,474,067 with additive skips; the paper says 5.5
million. It is not necessarily the authors', and whether their weights fit is not known.
`config.PAPER` has the ReLU that the paper names and nGPT's start of alpha; the shipped weights have
a gate with SiLU and alphas of 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....progress import Progress, no_progress, part_of
from ....volumes.region import Shape
from .attention import InteractionBlock, UnitLinear, l2_normalise
from .blocks import Decoder, Encoder, PreviousEncoder, level_widths
from .config import STRIDE, UNUSED, EnsamConfig, padded_side
from .dense_prompts import DensePrompts, prompt_channels
from .standard_attention import StandardBlock

_HEADS = 4
# The hidden dimension of the MLP over that of the tokens.
_MLP_EXPANSION = 4

Block = InteractionBlock | StandardBlock


@dataclass(frozen=True, eq=False)
class EnsamPrompts:
    """Prompt tokens of one object; their order has no meaning.

    Attributes:
        kinds: (B, n) int64, the token kinds of `config`.
        positions_kji: (B, n, 3) float32, in voxels of the encoded image, whose centres are whole
            numbers from 0.
        used: (B, n) bool, false for tokens without effect, which fill up the shorter lists of a
            batch; each list has at least one of use. None if all are used.
    """

    kinds: Tensor
    positions_kji: Tensor
    used: Tensor | None = None


@dataclass(frozen=True, eq=False)
class EnsamFeatures:
    """The network's features of an image, for any number of prompts.

    Attributes:
        skips: Features of the three finer levels, finest first.
        embedding: Features of the coarsest level.
        rotations: For each interaction block the rotations of the image tokens.
        scale_kji: (1 or B, 1, 3) float32; voxel positions times this run from 0 to about 1.
        shape_kji: The image's shape before padding.
    """

    skips: tuple[Tensor, ...]
    embedding: Tensor
    rotations: tuple[Tensor, ...]
    scale_kji: Tensor
    shape_kji: Shape

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The results of the encoder: skips, embedding and rotations."""
        return (*self.skips, self.embedding, *self.rotations)

    def with_tensors(self, tensors: Sequence[Tensor]) -> EnsamFeatures:
        """The same features with other values of `tensors`."""
        count = len(self.skips)
        skips, embedding, rotations = tensors[:count], tensors[count], tensors[count + 1 :]
        return replace(self, skips=tuple(skips), embedding=embedding, rotations=tuple(rotations))

    @property
    def nbytes(self) -> int:
        """The memory of the features in bytes."""
        return sum(t.element_size() * t.nelement() for t in self.tensors)


class Ensam(nn.Module):
    """The network: `encode` an image once, `decode` for each set of prompts."""

    def __init__(self, config: EnsamConfig | None = None) -> None:
        super().__init__()
        self.config = config or EnsamConfig()
        width, self.is_normalised = self.config.width, self.config.attention == "normalised"
        self.dim = level_widths(width)[-1]
        self.encoder = Encoder(self.config)
        self.prompts = DensePrompts(width) if self.config.dense_prompts else None
        self.previous = PreviousEncoder(width) if self.prompts is None else None
        self.prompt_vectors = nn.Parameter(l2_normalise(torch.randn(4, self.dim)))
        block: type[Block] = InteractionBlock if self.is_normalised else StandardBlock
        self.interactions = nn.ModuleList(
            block(self.dim, _HEADS, _MLP_EXPANSION * self.dim, self.config)
            for _ in range(self.config.depth)
        )
        self.decoder = Decoder(self.config.skip, width)

    def forward(
        self,
        image: Tensor,
        prompts: EnsamPrompts,
        previous_logits: Tensor | None = None,
        spacing_kji_mm: Sequence[float] | Tensor = (1.0, 1.0, 1.0),
    ) -> Tensor:
        """`encode`, then `decode`."""
        return self.decode(self.encode(image, spacing_kji_mm), prompts, previous_logits)

    def encode(
        self,
        image: Tensor,
        spacing_kji_mm: Sequence[float] | Tensor = (1.0, 1.0, 1.0),
        progress: Progress = no_progress,
    ) -> EnsamFeatures:
        """Encode an image (B, 1, K, J, I), float32 in 0 to 1, of any size.

        It is padded at its ends to multiples of 8 voxels by repeating the outermost ones.

        Args:
            image: (B, 1, K, J, I).
            spacing_kji_mm: The voxel size, (3,) or (B, 3); used if the configuration has
                millimetres.
            progress: Reports the levels done.
        """
        k, j, i = image.shape[2:]
        *skips, embedding = self.encoder(_padded(image, "replicate") - 0.5, progress)
        lengths = torch.as_tensor(spacing_kji_mm, dtype=torch.float32, device=image.device)
        if not self.config.millimetres:
            lengths = torch.ones(3, device=image.device)
        lengths = lengths.reshape(-1, 1, 3)
        scale = lengths / (lengths * lengths.new_tensor((k, j, i))).amax(dim=2, keepdim=True)
        positions = _token_centres(embedding) * scale
        rotations = tuple(block.positions(positions) for block in self._blocks())
        return EnsamFeatures(tuple(skips), embedding, rotations, scale, (k, j, i))

    def decode(
        self,
        features: EnsamFeatures,
        prompts: EnsamPrompts,
        previous_logits: Tensor | None = None,
        progress: Progress = no_progress,
    ) -> Tensor:
        """Logits (B, 1, K, J, I) of an encoded image; above 0 is the object.

        Args:
            features: From `encode`.
            prompts: The prompts; without any, only the image and previous logits count.
            previous_logits: Those of the previous step, same shape; None is equivalent to zeros.
            progress: Reports the parts done.
        """
        if previous_logits is not None:
            previous_logits = _padded(previous_logits, "constant")
        skips, embedding = self.add_dense_prompts(
            features.skips, features.embedding, prompts, previous_logits
        )
        image = self.image_tokens(embedding)
        if prompts.kinds.shape[1]:
            positions = prompts.positions_kji * features.scale_kji
            rotations = [block.positions(positions) for block in self._blocks()]
            image = self.attend_prompts(
                image, prompts.kinds, rotations, features.rotations, prompts.used
            )
        progress(0.2, "Predicting the mask")
        logits = self.logits(image, embedding, skips, part_of(progress, 0.2, 1.0))
        k, j, i = features.shape_kji
        return logits[:, :, :k, :j, :i]

    def normalise_weights_(self) -> None:
        """Restore the matrices of attention and MLP, and the prompt vectors, to unit vectors.

        Call it after every step of the optimiser (nGPT, section 2.3).
        """
        for module in self.modules():
            if isinstance(module, UnitLinear):
                module.normalise_()
        if self.is_normalised:
            with torch.no_grad():
                self.prompt_vectors.copy_(l2_normalise(self.prompt_vectors))

    def add_dense_prompts(
        self,
        skips: Sequence[Tensor],
        embedding: Tensor,
        prompts: EnsamPrompts,
        previous_logits: Tensor | None,
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Skips and embedding plus the voxelwise prompt features; first step of `decode`."""
        if self.prompts is not None:
            if previous_logits is None:
                previous_logits = torch.zeros_like(skips[0][:, :1])
            kinds = prompts.kinds
            if prompts.used is not None:
                kinds = kinds.masked_fill(~prompts.used, UNUSED)
            channels = prompt_channels(kinds, prompts.positions_kji, previous_logits)
            *finer, coarsest = self.prompts(channels)
            pairs = zip(skips, finer, strict=True)
            return [skip + added for skip, added in pairs], embedding + coarsest
        if self.previous is not None and previous_logits is not None:
            return skips, embedding + self.previous(previous_logits)
        return skips, embedding

    def image_tokens(self, embedding: Tensor) -> Tensor:
        """Image tokens (B, m, dim) of the coarsest level; second step of `decode`.

        They have length 1 if attention is normalised.
        """
        tokens = embedding.flatten(2).transpose(1, 2)
        return l2_normalise(tokens) if self.is_normalised else tokens

    def attend_prompts(
        self,
        image: Tensor,
        kinds: Tensor,
        prompt_rotations: Sequence[Tensor],
        image_rotations: Sequence[Tensor],
        used: Tensor | None = None,
    ) -> Tensor:
        """Image tokens (B, m, dim) after attending to the prompts; third step of `decode`.

        Args:
            image: Image tokens (B, m, dim).
            kinds: (B, n).
            prompt_rotations: The rotations of the prompt tokens for each interaction block.
            image_rotations: The rotations of the image tokens for each interaction block.
            used: (B, n) bool, see `EnsamPrompts`.
        """
        vectors = self.prompt_vectors
        tokens = (l2_normalise(vectors) if self.is_normalised else vectors)[kinds]
        seen = None if used is None else used[:, None, None]
        rotations = zip(self._blocks(), prompt_rotations, image_rotations, strict=True)
        for block, prompt_rotation, image_rotation in rotations:
            tokens, image = block(tokens, image, prompt_rotation, image_rotation, seen)
        return image

    def logits(
        self, image: Tensor, embedding: Tensor, skips: Sequence[Tensor], progress: Progress
    ) -> Tensor:
        """Logits of all padded voxels; last step of `decode`."""
        features = image.transpose(1, 2).reshape(embedding.shape)
        if self.is_normalised:
            # From length 1 back to a variance of about 1, which the convolutions expect.
            features = features * math.sqrt(self.dim)
        result: Tensor = self.decoder(features, skips, progress)
        return result

    def _blocks(self) -> list[Block]:
        return [block for block in self.interactions if isinstance(block, Block)]


def _padded(array: Tensor, mode: str) -> Tensor:
    ends = [padded_side(n) - n for n in array.shape[2:]]
    return functional.pad(array, (0, ends[2], 0, ends[1], 0, ends[0]), mode=mode)


def _token_centres(embedding: Tensor) -> Tensor:
    """(1, n, 3) float32: the voxel at the middle of each token, in the order of `flatten`."""
    axes = [
        (torch.arange(n, device=embedding.device, dtype=torch.float32) + 0.5) * STRIDE - 0.5
        for n in embedding.shape[2:]
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(1, -1, 3)
