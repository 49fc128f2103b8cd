"""The gradient of a loss over several views, with the memory of one.

A loss that ties views together needs all their answers, but not all their activations. First every
view is answered without keeping any; the loss then gives its gradient with respect to the answers;
last each view is answered again, alone, and that gradient is sent back through it. By the chain
rule the parameters' gradients are those of one large graph, at the cost of answering twice. Gao et
al., "Scaling deep contrastive learning batch size under memory limited setup", 2021, do so for
contrastive losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

View = Callable[[], Tensor]
"""Answers one view. It enters autocast itself: see `cached_backward`."""

Loss = Callable[[list[Tensor]], Mapping[str, Tensor]]
"""Scalars from the answers of all views; "loss" is what is minimised."""


def plain_backward(views: Sequence[View], loss: Loss, weight: float) -> dict[str, Tensor]:
    """Add the gradients of `weight` times the loss, all views in one graph; returns its scalars."""
    values = loss([view() for view in views])
    (values["loss"] * weight).backward()
    return {name: value.detach() for name, value in values.items()}


def cached_backward(
    views: Sequence[View], loss: Loss, weight: float, device: torch.device
) -> dict[str, Tensor]:
    """The same as `plain_backward`, with the activations of one view at a time.

    The second answer must be the first: each view begins both with the same state of torch's
    generators, so that dropout drops the same, and enters autocast anew. One context around both
    would remember weights cast to 16 bits without gradient, and use them in the second.
    """
    states, answers = [], []
    with torch.no_grad():
        for view in views:
            states.append(_random_state(device))
            answers.append(view())
    leaves = [answer.detach().requires_grad_() for answer in answers]
    values = loss(leaves)
    (values["loss"] * weight).backward()
    for view, state, leaf in zip(views, states, leaves, strict=True):
        with _beginning_at(state, device):
            again = view()
        again.backward(leaf.grad)
    return {name: value.detach() for name, value in values.items()}


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    on_gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_gpu


@contextmanager
def _beginning_at(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Within the block the generators go on from a state; after it from where they were."""
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.cuda.set_rng_state(state[1], device)
        yield
