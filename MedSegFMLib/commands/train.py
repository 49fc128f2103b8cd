"""`medsegfm train`: train a network by a recipe, with settings as key=value."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..errors import TrainingError
from ..progress import Progress
from ..train.inputs import check_inputs
from ..train.registry import RECIPES, check_packages, recipe
from ..train.search.search import PLOT, TABLE, Search, find_search, run_search, table
from ..train.settings_text import described, described_presets, parse_settings
from .console import print_table, progress_bar
from .training_events import print_events

SUMMARY = "train a network; run the same command again to resume from the checkpoint"
EXAMPLES = """\
examples:
  medsegfm train crossplane out=site cases=cases.json base=sam steps=400
  medsegfm train crossplane out=search cases=cases.json consistency=0,1,2,4
  medsegfm train ensam out=run minutes=30 pack=PACK.npz --dry-run
  medsegfm train ensam out=run recipe=paper data=NPZ_FOLDER coreset=0.1"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = "\n".join(
        [
            "recipes:",
            *(f"  {name}: {recipe(name).SUMMARY}" for name in RECIPES),
            "",
            "List the settings: medsegfm train RECIPE --settings",
        ]
    )
    parser.add_argument("recipe", metavar="RECIPE", help=", ".join(RECIPES))
    parser.add_argument("words", metavar="key=value", nargs="*", help="settings of the recipe")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--settings", action="store_true", help="only list the settings with defaults and meanings"
    )
    mode.add_argument(
        "--dry-run", action="store_true", help="only measure memory and time of a few steps"
    )
    mode.add_argument(
        "--events",
        action="store_true",
        help="print progress and result as JSON lines; stop training at the end of the input",
    )


def run(arguments: argparse.Namespace) -> None:
    """Train and print the path of the result, or list the settings."""
    chosen = recipe(arguments.recipe)
    if arguments.settings:
        settings = described(chosen.Settings)
        rows = [[setting.name, setting.default, setting.meaning] for setting in settings]
        print_table(["setting", "default", "meaning"], rows)
        for argument, words in described_presets(chosen.Settings).items():
            print(f"\n{argument} stands for {words}")
        return
    if arguments.events:
        print_events(lambda progress: _trained_to_folder(arguments, progress))
        return
    search = find_search(chosen.SEARCHED, chosen.Settings, arguments.words)
    if search is not None:
        settings = search.settings(chosen.Settings, search.values[0])
    else:
        settings = parse_settings(chosen.Settings, arguments.words)
    check_packages(arguments.recipe)
    check_inputs(arguments.recipe, settings)
    if arguments.dry_run:
        _print_plan(arguments.recipe, settings)
        return
    if search is not None:
        _print_search(arguments.recipe, search)
        return
    from ..train.run import train
    from ..train.run_log import samples_text

    with progress_bar(f"train {arguments.recipe}") as progress:
        trained = train(arguments.recipe, settings, progress)
    # Only the first of several processes started by accelerate prints.
    if os.environ.get("RANK", "0") == "0":
        print(f"The result after {samples_text(trained.samples)} is {trained.path}.")
        scores = [f"{name} {value:.3f}" for name, value in trained.scores.items()]
        print(f"Validation: {', '.join(scores)}")


def _trained_to_folder(arguments: argparse.Namespace, progress: Progress) -> tuple[Path, Path]:
    """Train and return the path of the result and the output folder."""
    settings = parse_settings(recipe(arguments.recipe).Settings, arguments.words)
    check_packages(arguments.recipe)
    check_inputs(arguments.recipe, settings)
    from ..train.run import train

    return train(arguments.recipe, settings, progress).path, settings.out


def _print_search(recipe_name: str, search: Search) -> None:
    """Train with each value and print the scores side by side.

    Raises:
        TrainingError: Several processes were started, which would write the same table.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError(
            f"{search.name} has several values, which one process trains one after another; start "
            "medsegfm without accelerate, or give one value."
        )
    from ..train.run import train

    kind = recipe(recipe_name).Settings
    with progress_bar(f"train {recipe_name}") as progress:
        rows = run_search(
            search, kind, lambda settings, part: train(recipe_name, settings, part).scores, progress
        )
    header, cells = table(rows)
    print_table([search.name, *header], cells)
    print(f"The table is {search.out / TABLE}, the plot {search.out / PLOT}.")


def _print_plan(recipe_name: str, settings: Any) -> None:
    from ..train.planner import plan

    with progress_bar(f"plan {recipe_name}") as progress:
        measured = plan(recipe_name, settings, progress)
    rows = [
        ["device", measured.device],
        ["free memory", _gigabytes(measured.available_bytes)],
        ["predicted peak memory", _gigabytes(measured.predicted_bytes)],
        ["measured peak memory", _gigabytes(measured.measured_bytes)],
        ["seconds per step", f"{measured.seconds_per_step:.2f}"],
    ]
    if measured.steps:
        minutes = measured.steps * measured.seconds_per_step / 60
        rows.append([f"minutes for {measured.steps} steps", f"{minutes:.1f}"])
    print_table(["quantity", "value"], rows)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
