"""Names in folders of transformers, and what every network from them is built with."""

from __future__ import annotations

from pathlib import Path

CONFIG = "config.json"
IN_FOLDER = "model.safetensors"
# torch's own attention.
ATTENTION = "sdpa"
# Keys under which training scripts store the state dict beside their optimiser's.
HOLDERS = ("model", "state_dict")


def weights_file(path: Path) -> Path:
    """The file of weights: the path itself, or the file in a folder from transformers."""
    inside = path / IN_FOLDER
    return inside if inside.is_file() else path
