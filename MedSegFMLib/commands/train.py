"""`medsegfm train`: train a network by a recipe, with settings as key=value."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..train.recipes import RECIPES, check_packages, recipe
from ..train.setting_words import described, parse
from .console import print_table, progress_bar

SUMMARY = "train a network; the same command again goes on from its checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(
        [
            "recipes:",
            *(f"  {name}: {recipe(name).SUMMARY}" for name in RECIPES),
            "",
            "What can be set: medsegfm train RECIPE --settings",
            "For example:     medsegfm train ensam out=run minutes=30 pack=PACK.npz",
        ]
    )
    parser.add_argument("recipe", metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("words", metavar="key=value", nargs="*", help="settings of the recipe")
    parser.add_argument(
        "--settings", action="store_true", help="only list the settings, defaults and meanings"
    )


def run(arguments: argparse.Namespace) -> None:
    """Train and say where the weights are, or list what can be set."""
    chosen = recipe(arguments.recipe)
    if arguments.settings:
        settings = described(chosen.Settings)
        rows = [[setting.name, setting.default, setting.meaning] for setting in settings]
        print_table(["setting", "default", "meaning"], rows)
        return
    settings = parse(chosen.Settings, arguments.words)
    check_packages(arguments.recipe)
    with progress_bar(f"train {arguments.recipe}") as progress:
        weights = chosen.train(settings, progress)
    # Of several processes that accelerate started the first one speaks.
    if os.environ.get("RANK", "0") == "0":
        _say_what_came(settings, weights)


def _say_what_came(settings: Any, weights: Path) -> None:
    from ..train.log import read_log

    rows = read_log(settings.out)
    samples = max((row["samples"] for row in rows), default=0)
    scores = [
        f"{row['value']:.3f}"
        for row in rows
        if row["samples"] == samples and row["name"].startswith("dice_")
    ]
    print(f"{weights} holds the weights after {samples} samples.")
    if scores:
        print(f"Validation Dice after the first prompt and each click: {' '.join(scores)}")
