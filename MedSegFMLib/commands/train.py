"""`medsegfm train`: train a network by a recipe, with settings as key=value."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..progress import Progress
from ..train.registry import RECIPES, check_packages, recipe
from ..train.settings_text import described, parse_settings
from .console import print_table, progress_bar
from .training_events import tell_events

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
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--settings", action="store_true", help="only list the settings, defaults and meanings"
    )
    instead.add_argument(
        "--dry-run", action="store_true", help="only measure the memory and time of a few steps"
    )
    instead.add_argument(
        "--events",
        action="store_true",
        help="tell progress and result as JSON lines; the end of the input stops the training",
    )


def run(arguments: argparse.Namespace) -> None:
    """Train and say where the weights are, or list what can be set."""
    chosen = recipe(arguments.recipe)
    if arguments.settings:
        settings = described(chosen.Settings)
        rows = [[setting.name, setting.default, setting.meaning] for setting in settings]
        print_table(["setting", "default", "meaning"], rows)
        return
    if arguments.events:
        tell_events(lambda progress: _trained_to_folder(arguments, progress))
        return
    settings = parse_settings(chosen.Settings, arguments.words)
    check_packages(arguments.recipe)
    if arguments.dry_run:
        _say_what_it_takes(arguments.recipe, settings)
        return
    from ..train.run import train
    from ..train.run_log import samples_text

    with progress_bar(f"train {arguments.recipe}") as progress:
        trained = train(arguments.recipe, settings, progress)
    # Of several processes that accelerate started the first one speaks.
    if os.environ.get("RANK", "0") == "0":
        print(f"{trained.path} holds the result after {samples_text(trained.samples)}.")
        scores = [f"{name} {value:.3f}" for name, value in trained.scores.items()]
        print(f"Validation: {', '.join(scores)}")


def _trained_to_folder(arguments: argparse.Namespace, progress: Progress) -> tuple[Path, Path]:
    """Train; the path of the result and the folder it lies in."""
    settings = parse_settings(recipe(arguments.recipe).Settings, arguments.words)
    check_packages(arguments.recipe)
    from ..train.run import train

    return train(arguments.recipe, settings, progress).path, settings.out


def _say_what_it_takes(recipe_name: str, settings: Any) -> None:
    from ..train.planner import plan

    with progress_bar(f"plan {recipe_name}") as progress:
        found = plan(recipe_name, settings, progress)
    rows = [
        ["device", found.device],
        ["memory free", _gigabytes(found.available_bytes)],
        ["peak memory, predicted", _gigabytes(found.predicted_bytes)],
        ["peak memory, measured", _gigabytes(found.measured_bytes)],
        ["seconds a step", f"{found.seconds_per_step:.2f}"],
    ]
    if found.steps:
        minutes = found.steps * found.seconds_per_step / 60
        rows.append([f"minutes for {found.steps} steps", f"{minutes:.1f}"])
    print_table(["what", "here"], rows)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
