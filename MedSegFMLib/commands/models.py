"""`medsegfm models`: what there is to choose from."""

from __future__ import annotations

import argparse
import dataclasses
import json

from ..registry import DEFAULT_MODEL, cards, missing_packages
from ..segmenter import ModelCard
from ..weights import store
from .console import print_table

SUMMARY = "list the models: what they take, whether they can run here, licences, memory"
# The region for which the memory of each model is told.
_REGION_VOXELS = 96**3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(arguments: argparse.Namespace) -> None:
    """Print the models."""
    if arguments.json:
        print(json.dumps([_record(card) for card in cards()], indent=1))
        return
    print_table(
        ["model", "what it does", "prompts", "ready", "licence of code / weights", "memory at 96³"],
        [
            [
                card.name + (" (default)" if card.name == DEFAULT_MODEL else ""),
                card.summary,
                ", ".join(card.prompts),
                _readiness(card),
                f"{card.code_licence} / {card.weights_licence or 'none needed'}",
                f"{card.memory_bytes(_REGION_VOXELS) / 1e6:.0f} MB",
            ]
            for card in cards()
        ],
    )


def _readiness(card: ModelCard) -> str:
    missing = missing_packages(card)
    if missing:
        return f"needs {', '.join(missing)}"
    return "weights missing" if _weights_present(card) is False else "yes"


def _weights_present(card: ModelCard) -> bool | None:
    """Whether the weights are here; None for a model that needs none."""
    if card.weights is None:
        return None
    return card.weights in {item.name for item in store.installed()}


def _record(card: ModelCard) -> dict[str, object]:
    return {
        **dataclasses.asdict(card),
        "default": card.name == DEFAULT_MODEL,
        "missing_packages": missing_packages(card),
        "weights_present": _weights_present(card),
    }
