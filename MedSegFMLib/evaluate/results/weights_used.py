"""The weights that models were run with, for reports."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import WeightsError
from ...model_choice import read_choice
from ...weights.checksums import own_sha256
from ...weights.recorded_options import recorded_options
from ...weights.store import installed


def weights_used(models: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the weights of each model that has any, and of its base network.

    Options that were recorded when weights were imported follow their SHA-256, as they change what
    the model does; private values are hidden.

    Args:
        models: the models as the user specified them.

    Raises:
        ModelError, WeightsError: there is no such model.
    """
    digests = {entry.name: entry.sha256 for entry in installed()}
    used: dict[str, str] = {}
    for choice in map(read_choice, models):
        text = choice.text
        needed = choice.card
        if needed.weights is not None:
            recorded = needed.public_options(recorded_options(needed.weights))
            options = [f" {key}={value}" for key, value in recorded.items()]
            used[text] = (digests.get(needed.weights) or "unknown") + "".join(options)
        if choice.weights is not None:
            try:
                used[text] = own_sha256(choice.weights)
            except WeightsError:
                used[text] = "unreadable"
        if needed.base is not None:
            used[f"{text}, base {needed.base}"] = digests.get(needed.base) or "unknown"
    return used
