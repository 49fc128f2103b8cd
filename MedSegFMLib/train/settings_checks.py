"""Checks of the values of settings, a dataclass. Each raises TrainingError."""

from __future__ import annotations

from typing import Any

from ..errors import TrainingError


def check_at_least(least: float, settings: Any, *names: str) -> None:
    """Refuse a value below `least`."""
    for name in names:
        if getattr(settings, name) < least:
            raise TrainingError(f"{name} is {getattr(settings, name)}; it must be {least} or more.")


def check_positive(settings: Any, *names: str) -> None:
    """Refuse a value of 0 or less."""
    for name in names:
        if getattr(settings, name) <= 0:
            raise TrainingError(f"{name} is {getattr(settings, name)}; it must be above 0.")


def check_shares(settings: Any, *names: str) -> None:
    """Refuse a value that is not from 0 to 1."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise TrainingError(f"{name} is {getattr(settings, name)}; it must be from 0 to 1.")
