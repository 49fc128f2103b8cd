"""The learning rates of the parts of SAM3 if all weights are trained."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import nn

# The rates are 8e-4 for the detector, 2.5e-4 for the vision encoder and 5e-5 for the text encoder.
# All are then multiplied by 0.1 (Medical SAM3, and SAM3's own configuration for fine-tuning).
_VISION, _LANGUAGE = 2.5e-4 / 8e-4, 5e-5 / 8e-4

_TRUNK = "vision_encoder.backbone."
_BLOCK = re.compile(r"vision_encoder\.backbone\.layers\.(\d+)\.")
_LANGUAGE_PARTS = ("text_encoder.", "text_projection.")


def rate_scale(name: str, depth: int, decay: float) -> float:
    """The factor of the detector's learning rate for a tensor.

    Args:
        name: the tensor's name in transformers.
        depth: the number of blocks of the vision transformer.
        decay: γ of scale = γ^(L - i), with L = depth + 1 and i = 0 for what precedes the blocks of
            the vision transformer and 1 for the first of them. Its position embedding does not
            decay.
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
    """AdamW for the trainable parameters, in groups of one rate each.

    Biases and norms do not decay.

    Args:
        parameters: the parameters by name.
        rate: the learning rate of the detector.
        depth: see `rate_scale`.
        decay: see `rate_scale`.
        weight_decay: the weight decay of matrices.
        adapters: whether the parameters are those of adapters, which all have the same rate.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters:
        if parameter.requires_grad:
            scale = 1.0 if adapters else rate_scale(name, depth, decay)
            decays = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((scale, decays), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": group, "lr": rate * scale, "peak": rate * scale, "weight_decay": decays}
            for (scale, decays), group in groups.items()
        ]
    )
