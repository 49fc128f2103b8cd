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
        ["model", "what it does", "prompts", "ready", "licence of code / weights", "MB at 96³"],
        [
            [
                card.name + ("\n(default)" if card.name == DEFAULT_MODEL else ""),
                card.summary,
                ", ".join(card.prompts),
                _readiness(card),
                f"{card.code_licence} / {card.weights_licence or 'none needed'}",
                f"{card.memory_bytes(_REGION_VOXELS) / 1e6:.0f}",
            ]
            for card in cards()
        ],
    )


def _readiness(card: ModelCard) -> str:
    """What a model lacks here, that which takes longest to get first."""
    packages = ", ".join(missing_packages(card))
    weights = _weights_fault(card)
    if not weights:
        return f"needs {packages}" if packages else "yes"
    return f"{weights}; also needs {packages}" if packages else weights


def _weights_fault(card: ModelCard) -> str:
    """What is wrong with the weights of a model in words; empty where it has them or needs none."""
    here = {item.name: item for item in store.installed()}
    for name in filter(None, (card.weights, card.base)):
        of = "" if name == card.weights else f" of {name}"
        if name not in here:
            return f"no weights{of} yet"
        if here[name].fault:
            return f"weights{of} damaged"
    return ""


def _record(card: ModelCard) -> dict[str, object]:
    return {
        **dataclasses.asdict(card),
        "default": card.name == DEFAULT_MODEL,
        "missing_packages": missing_packages(card),
        "weights_present": None if card.weights is None else not _weights_fault(card),
    }
