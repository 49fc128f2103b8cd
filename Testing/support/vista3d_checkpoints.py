"""Random VISTA3D checkpoints in the published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import vista3d132
from safetensors.torch import save_file

# The smallest width that its attention's heads divide, and windows that it still takes.
TINY, PATCH = 8, 32
PUBLISHED = 48
# Of these weights, the answers to a class and to a click are neither empty nor full.
SEED = 4


def random_vista3d(width: int = TINY, seed: int = SEED) -> Any:
    """A network whose answers follow the image and differ between classes and clicks."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = vista3d132(encoder_embed_dim=width)
    return network.requires_grad_(False).eval()


def write_checkpoint(path: Path, width: int = TINY, prefix: str = "", seed: int = SEED) -> Path:
    """The tensors of a random network as torch or safetensors keep them, by the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = random_vista3d(width, seed).state_dict()
    state = {f"{prefix}{name}": tensor.contiguous() for name, tensor in tensors.items()}
    if path.suffix == ".safetensors":
        save_file(state, str(path))
    else:
        torch.save(state, path)
    return path
