"""The active model: its name, its device, and the prompts it takes with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...consistency.asking import asking_card
from ...model_choice import choice_text
from ...registry import DEFAULT_MODEL, card
from ...segmenter import ModelCard
from ...worker.events import Opened


@dataclass(frozen=True)
class ActiveModel:
    """The model that requests name.

    Attributes:
        name: Its name in the registry.
        device: Where it shall run, a name as in `system.device.choose_device`.
        options: Further options of the model.
        card: Its card, which once it was loaded names the prompts and the images that it takes
            with its weights.
        classes: The names of the classes that it offers; () for a promptable model, and before it
            was loaded.
    """

    name: str
    device: str
    options: Mapping[str, Any] = field(default_factory=dict)
    card: ModelCard = field(kw_only=True)
    classes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its identity: the name with the options; see `model_choice`."""
        return choice_text(self.name, self.options)

    @classmethod
    def of(
        cls,
        name: str = DEFAULT_MODEL,
        device: str = "auto",
        options: Mapping[str, Any] | None = None,
        loaded: Opened | None = None,
    ) -> ActiveModel:
        """A model with its card.

        Args:
            name: Its name in the registry.
            device: Where it shall run.
            options: Further options of the model.
            loaded: What it reported when it was loaded last; None if it was not.

        Raises:
            ModelError: If there is no model of this name.
        """
        own = asking_card(card(name, options))
        made = cls(name, device, dict(options or {}), card=own)
        return made if loaded is None else made.loaded_as(loaded)

    def loaded_as(self, event: Opened) -> ActiveModel:
        """The same model with what it reported when it was loaded."""
        card = replace(self.card, prompts=event.prompts, channels=event.channels)
        return replace(self, card=card, classes=event.classes)
