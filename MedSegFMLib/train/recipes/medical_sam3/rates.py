"""How fast each part of SAM3 learns where all of it does."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import nn

# Of the detector's rate 8e-4: 2.5e-4 of the vision encoder, 5e-5 of the text encoder. All are then
# multiplied by 0.1 (Medical SAM3 and SAM3's own configuration for fine-tuning).
_VISION, _LANGUAGE = 2.5e-4 / 8e-4, 5e-5 / 8e-4

_TRUNK = "vision_encoder.backbone."
_BLOCK = re.compile(r"vision_encoder\.backbone\.layers\.(\d+)\.")
_LANGUAGE_PARTS = ("text_encoder.", "text_projection.")


def rate_scale(name: str, depth: int, decay: float) -> float:
    """By what the detector's rate is multiplied for a tensor of transformers' name.

    decay: γ of scale = γ^(L - i), with L = depth + 1 and i = 0 for what comes before the blocks of
    the vision transformer and 1 for the first of these. Its table of positions does not decay.
    """
    if name.startswith(_LANGUAGE_PARTS):
        return _LANGUAGE
    if not name.startswith("vision_encoder."):
        return 1.0
    if not name.startswith(_TRUNK) or name.endswith("position_embeddings"):
        return _VISION
    block = _BLOCK.match(name)
    number = 0 if block is None else int(block[1]) + 1
    return _VISION * float(decay ** (depth + 1 - number))


def build_optimiser(
    parameters: Iterable[tuple[str, nn.Parameter]],
    rate: float,
    depth: int,
    decay: float,
    weight_decay: float,
    adapters: bool,
) -> torch.optim.AdamW:
    """AdamW over what learns, in groups of one rate each; biases and norms do not decay.

    adapters: whether the parameters are adapters', which all learn at the same rate.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters:
        if parameter.requires_grad:
            scale = 1.0 if adapters else rate_scale(name, depth, decay)
            falls = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((scale, falls), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": held, "lr": rate * scale, "peak": rate * scale, "weight_decay": falls}
            for (scale, falls), held in groups.items()
        ]
    )
