"""`medsegfm models`: list the models."""

from __future__ import annotations

import argparse
import dataclasses
import json

from ..registry import DEFAULT_MODEL, cards, missing_packages
from ..segmenter import ModelCard
from ..weights import store
from .console import print_table

SUMMARY = "list the models: prompts, availability on this computer, licences, memory"
# The size of the region for the memory estimates.
_REGION_VOXELS = 96**3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print all details as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the models."""
    if arguments.json:
        print(json.dumps([_record(card) for card in cards()], indent=1))
        return
    print_table(
        ["model", "summary", "prompts", "ready", "licence of code / weights", "MB at 96³"],
        [
            [
                card.name + ("\n(default)" if card.name == DEFAULT_MODEL else ""),
                card.summary,
                ", ".join(card.accepted),
                _readiness(card),
                f"{card.code_licence} / {card.weights_licence or 'none needed'}",
                f"{card.memory_bytes(_REGION_VOXELS) / 1e6:.0f}",
            ]
            for card in cards()
        ],
    )


def _readiness(card: ModelCard) -> str:
    """The missing parts of a model, with the one that takes longest to get first."""
    packages = ", ".join(missing_packages(card))
    weights = _weights_fault(card)
    if not weights:
        return f"needs {packages}" if packages else "yes"
    return f"{weights}; also needs {packages}" if packages else weights


def _weights_fault(card: ModelCard) -> str:
    """The problem with the weights of a model; empty if they are installed or not needed."""
    installed = {item.name: item for item in store.installed()}
    for name in filter(None, (card.weights, card.base)):
        of_base = "" if name == card.weights else f" of {name}"
        if name not in installed:
            return f"no weights{of_base} yet"
        if installed[name].fault:
            return f"weights{of_base} damaged"
    return ""


def _record(card: ModelCard) -> dict[str, object]:
    return {
        **dataclasses.asdict(card),
        "default": card.name == DEFAULT_MODEL,
        "missing_packages": missing_packages(card),
        "weights_present": None if card.weights is None else not _weights_fault(card),
    }
