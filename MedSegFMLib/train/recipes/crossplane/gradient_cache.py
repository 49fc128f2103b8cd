"""The gradient of a loss over several views, with the memory of one view.

A loss that couples views needs the logits of all of them, but not all activations. First, the
logits of every view are computed without storing activations. Then the loss gives its gradient with
respect to the logits. Last, each view is computed again, by itself, and that gradient is propagated
back through it. By the chain rule, the gradients of the parameters are those of one large graph, at
the cost of a second forward pass. Gao et al., "Scaling deep contrastive learning batch size under
memory limited setup", 2021, do so for contrastive losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

View = Callable[[], Tensor]
"""Returns the logits of one view. It enters autocast itself; see `cached_backward`."""

Loss = Callable[[list[Tensor]], Mapping[str, Tensor]]
"""Returns scalars from the logits of all views; "loss" is minimised."""


def plain_backward(views: Sequence[View], loss: Loss, weight: float) -> dict[str, Tensor]:
    """Add the gradients of `weight` times the loss, with all views in one graph.

    Returns:
        The scalars of the loss by name.
    """
    values = loss([view() for view in views])
    (values["loss"] * weight).backward()
    return {name: value.detach() for name, value in values.items()}


def cached_backward(
    views: Sequence[View], loss: Loss, weight: float, device: torch.device
) -> dict[str, Tensor]:
    """As `plain_backward`, with the activations of one view at a time.

    The second forward pass must equal the first: each view begins both with the same state of
    torch's random generators, so that dropout drops the same values, and enters autocast anew. One
    context around both would reuse weights that were cast to 16 bits without gradients.
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
    on_gpu = None if device.type == "cpu" else _gpu_state(device)
    return torch.get_rng_state(), on_gpu


def _gpu_state(device: torch.device) -> Tensor:
    found: Tensor = getattr(torch, device.type).get_rng_state(*_which(device))
    return found


def _which(device: torch.device) -> tuple[torch.device, ...]:
    """The argument that selects a device; Apple's is the only one of its kind."""
    return () if device.type == "mps" else (device,)


@contextmanager
def _beginning_at(state: tuple[Tensor, Tensor | None], device: torch.device) -> Iterator[None]:
    """Within the block, the random generators continue from a state; they are restored after it."""
    now = _random_state(device)
    _set_random_state(state, device)
    try:
        yield
    finally:
        _set_random_state(now, device)


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        getattr(torch, device.type).set_rng_state(state[1], *_which(device))
