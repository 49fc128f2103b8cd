"""A model as the user names it for a comparison: NAME, or NAME=WEIGHTS for weights of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError, WeightsError
from ..registry import card, create, resolve_name
from ..segmenter import Segmenter


@dataclass(frozen=True)
class ModelChoice:
    """text: as typed, what its rows are called. weights: None for those that are installed."""

    text: str
    name: str
    weights: Path | None

    def create(self, device: str) -> Segmenter:
        """Load the model; raises what `registry.create` raises."""
        if self.weights is None:
            return create(self.name, device)
        return create(self.name, device, weights=self.weights)


def read_choice(text: str) -> ModelChoice:
    """The choice that a text stands for; a relative path counts from the current folder.

    Raises ModelError for a model that there is none of or that takes no weights, WeightsError
    where no file or folder of that name is.
    """
    name, equals, path = text.partition("=")
    name = resolve_name(name)
    if not equals:
        card(name)
        return ModelChoice(text, name, None)
    if card(name).weights is None:
        raise ModelError(f"The model {name} takes no weights; name it without '={path}'.")
    weights = Path(path).expanduser().absolute()
    if not path or not weights.exists():
        raise WeightsError(
            f"The weights of '{text}' are not there; give {name}=PATH with a file or folder that "
            f"exists, or {name} alone for those that are installed."
        )
    return ModelChoice(text, name, weights)
