"""Random SAM checkpoints in the published layout, most of them with a tiny image encoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from peft import get_peft_model_state_dict

from MedSegFMLib.models.sam import lora_file
from MedSegFMLib.models.sam.network.config import PUBLISHED, SamConfig
from MedSegFMLib.models.sam.network.lora import LoraChoice, with_adapters
from MedSegFMLib.models.sam.network.network import Sam
from MedSegFMLib.weights.checksums import own_sha256

TINY = SamConfig("tiny", dim=32, depth=2, heads=2, global_blocks=(1,))


def random_sam(config: SamConfig = TINY, seed: int = 0) -> Sam:
    """A network with random weights, those that begin at 0 included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Sam(config)
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.2)
    return network.requires_grad_(False)


def write_checkpoint(path: Path, config: SamConfig = TINY, seed: int = 0) -> Path:
    """Save such a network as SAM is published: torch's format, the state dict alone."""
    torch.save(random_sam(config, seed).state_dict(), path)
    return path


def write_adapter(folder: Path, base: Path, config: SamConfig = TINY) -> Path:
    """Save random adapters of the network in the file `base`, as training writes them."""
    choice = LoraChoice(4, 8.0, 0.0, "qkv", 1, "lora")
    settings = choice.peft_settings(config)
    network = with_adapters(random_sam(config), settings)
    random = torch.Generator().manual_seed(1)
    tensors = {
        name: torch.randn(tensor.shape, generator=random) * 0.05
        for name, tensor in get_peft_model_state_dict(network).items()
    }
    facts = lora_file.AdapterFacts(
        base.name, own_sha256(base), config.name, "sam", "native", settings
    )
    lora_file.write(folder, facts, tensors)
    return folder


@contextmanager
def tiny_is_published() -> Iterator[None]:
    """Within the block weights with the tiny encoder are taken as if they were published."""
    with patch.dict(PUBLISHED, {TINY.name: TINY}):
        yield
