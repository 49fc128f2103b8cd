"""Muon for matrices, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

# Embeddings with a few rows or columns are lists of vectors, and convolutions with a few channels
# are not matrices in Muon's sense.
_FEWEST_ROWS = 16


class MatrixMuon(torch.optim.Muon):  # type: ignore[misc]
    """torch's Muon for parameters of any shape, treated as matrices (first axis, all others).

    Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. The step is
    scaled so that learning rates tuned for AdamW remain valid (Liu et al., "Muon is scalable for
    LLM training", 2025, section 2.2).
    """

    def __init__(self, parameters: list[nn.Parameter], rate: float, weight_decay: float) -> None:
        self._whole = parameters
        self._matrices = [nn.Parameter(p.detach().flatten(1)) for p in parameters]
        super().__init__(
            self._matrices, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters; the matrices share their memory."""
        for whole, matrix in zip(self._whole, self._matrices, strict=True):
            matrix.grad = None if whole.grad is None else whole.grad.flatten(1)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        for whole in self._whole:
            whole.grad = None
        super().zero_grad(set_to_none)


def build_optimisers(
    network: nn.Module, muon: bool, rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """The optimisers of a network, which is already on its device.

    Args:
        network: the network.
        muon: whether Muon updates the hidden matrices and convolutions; AdamW updates the others.
        rate: the highest learning rate.
        weight_decay: the weight decay of Muon.
    """
    hidden = [p for p in network.parameters() if muon and _is_hidden_matrix(p)]
    taken = {id(p) for p in hidden}
    others = [p for p in network.parameters() if id(p) not in taken]
    adam = torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    built = [MatrixMuon(hidden, rate, weight_decay), adam] if hidden else [adam]
    for optimiser in built:
        for group in optimiser.param_groups:
            group["peak"] = rate
    return built


def _is_hidden_matrix(parameter: nn.Parameter) -> bool:
    return bool(parameter.ndim >= 2 and min(parameter.flatten(1).shape) >= _FEWEST_ROWS)
