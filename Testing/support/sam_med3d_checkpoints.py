"""Random SAM-Med3D checkpoints in the published layout, most of them of a tiny network."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from medim import create_model

from MedSegFMLib.models.sam_med3d.sizes import PUBLISHED, NetworkSizes

# Of 32 cells of 1.5 mm a side.
TINY = NetworkSizes(side=32, dim=24, depth=2, heads=2, global_blocks=(1,), channels=48)
FULL = PUBLISHED["vit_b_ori"]


def random_network(sizes: NetworkSizes = TINY, seed: int = 0) -> Any:
    """The package's network with random weights, those that begin at 0 included."""
    with torch.random.fork_rng(), redirect_stdout(StringIO()):
        torch.manual_seed(seed)
        network = create_model("SAM-Med3D", **sizes.settings())
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.2)
    return network.requires_grad_(False).eval()


def write_checkpoint(path: Path, sizes: NetworkSizes = TINY, seed: int = 0) -> Path:
    """Save such a network as training does, with its settings beside it."""
    content = {
        "epoch": 3,
        "model_state_dict": random_network(sizes, seed).state_dict(),
        "losses": [0.5],
        "args": Namespace(task_name="union_train", gpu_ids=[0, 1]),
        "used_datas": ["ct_WORD"],
    }
    torch.save(content, path)
    return path


@contextmanager
def tiny_is_published() -> Iterator[None]:
    """Within the block weights of the tiny network are taken as if they were published."""
    with patch.dict(PUBLISHED, {"tiny": TINY}):
        yield
