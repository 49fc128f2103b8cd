"""Random SegVol checkpoints in the published layouts, most of them of a tiny network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from MedSegFMLib.models.segvol.network.config import PUBLISHED, SegVolConfig
from MedSegFMLib.models.segvol.network.network import SegVol
from MedSegFMLib.models.segvol.weights import published_name

TINY = SegVolConfig(
    window=(8, 32, 32),
    patch=(4, 16, 16),
    dim=32,
    depth=2,
    heads=2,
    text_dim=16,
    text_depth=2,
    text_heads=2,
)
FULL = PUBLISHED["vit_b"]


def random_segvol(config: SegVolConfig = TINY, seed: int = 0) -> SegVol:
    """A network with random weights, those that begin at 0 included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = SegVol(config)
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.2)
            # Words decide as much as the image does.
            network.text_encoder.dim_align.weight.mul_(4)
    return network.requires_grad_(False)


def published_layout(network: SegVol) -> dict[str, Tensor]:
    """The tensors by their published names, without the prefix of a file."""
    found = {published_name(name): tensor for name, tensor in network.state_dict().items()}
    # The transformers of that time stored the numbers of the positions.
    numbers = torch.arange(77)[None]
    found["text_encoder.clip_text_model.text_model.embeddings.position_ids"] = numbers
    return found


def write_checkpoint(path: Path, config: SegVolConfig = TINY, page: bool = False) -> Path:
    """Save such a network as `SegVol_v1.pth`, or as `pytorch_model.bin` of its page."""
    tensors = published_layout(random_segvol(config))
    if page:
        torch.save({f"model.{name}": tensor for name, tensor in tensors.items()}, path)
    else:
        named = {f"module.{name}": tensor for name, tensor in tensors.items()}
        torch.save({"model": named, "epoch": 3, "optimizer": {"state": {}}}, path)
    return path


@contextmanager
def tiny_is_published() -> Iterator[None]:
    """Within the block weights of the tiny network are taken as if they were published."""
    with patch.dict(PUBLISHED, {"tiny": TINY}):
        yield
