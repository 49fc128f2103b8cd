"""Edits of the user to the markups of the prompts: plain data."""

from __future__ import annotations

from dataclasses import dataclass

from ...prompts.types import Prompt


@dataclass(frozen=True)
class Added:
    """The user drew a prompt."""

    prompt: Prompt


@dataclass(frozen=True)
class Replaced:
    """The user moved or reshaped the prompt `index` of the list."""

    index: int
    prompt: Prompt


@dataclass(frozen=True)
class Deleted:
    """The user deleted the markup of the prompt `index` of the list."""

    index: int


@dataclass(frozen=True)
class Refused:
    """A drawing that cannot be a prompt; the sentence says why and what to do."""

    sentence: str


Edit = Added | Replaced | Deleted | Refused
