"""A model as the user specifies it for an evaluation: NAME, or NAME=WEIGHTS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError, WeightsError
from ..registry import card, create, resolve_name
from ..segmenter import Segmenter


@dataclass(frozen=True)
class ModelChoice:
    """A model and its weights.

    Attributes:
        text: the specification, which its rows contain.
        name: the name of the model.
        weights: the weights; None for the installed ones.
    """

    text: str
    name: str
    weights: Path | None

    def create(self, device: str) -> Segmenter:
        """Load the model.

        Raises:
            MedSegFMError: as `registry.create`.
        """
        if self.weights is None:
            return create(self.name, device)
        return create(self.name, device, weights=self.weights)


def read_choice(text: str) -> ModelChoice:
    """Parse a specification; a relative path starts at the current folder.

    Raises:
        ModelError: there is no such model, or it takes no weights.
        WeightsError: there is no such file or folder.
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
            f"The weights of '{text}' do not exist; give {name}=PATH with an existing file or "
            f"folder, or only {name} for the installed weights."
        )
    return ModelChoice(text, name, weights)
