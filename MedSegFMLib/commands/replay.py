"""`medsegfm replay`: make a result again from its ledger, and compare both."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..progress import Progress
from ..registry import resolve_name
from ..results.ledger import Ledger, versions, weights_of
from ..results.propagated import (
    differences_of_frames,
    find_frames,
    read_frames_result,
    replay_frames,
)
from ..results.replay import (
    Difference,
    differences,
    find_images,
    find_volume,
    read_ledger,
    read_result,
    replay,
)
from ..system.device import DEVICE_HELP
from ..volumes.frames import Frames
from .arguments.images import add_image_arguments, check_one_image, image_files
from .arguments.reading import add_source_arguments, read_volume
from .console import print_table, progress_bar

SUMMARY = "make a result again from the prompts that it holds, and say whether it is the same"
EXAMPLES = """\
examples:
  medsegfm replay seg.nii.gz
  medsegfm replay seg.nii.gz ct.nii.gz --model randomwalk"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("result", help="a file that medsegfm segment wrote")
    add_image_arguments(parser, "its volume; left out, it is looked for in the result's folder")
    add_source_arguments(parser)
    parser.add_argument("--model", help="another model, to see what changes")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--weights", metavar="PATH", help="weights to use instead of the installed")


def run(arguments: argparse.Namespace) -> int:
    """Replay, print the differences, and return 0 if there are none."""
    path = Path(arguments.result)
    check_one_image(arguments)
    ledger = read_ledger(path)
    name = resolve_name(arguments.model or ledger.model)
    options = dict(ledger.options) if name == ledger.model else {}
    if arguments.weights:
        options["weights"] = arguments.weights
    with progress_bar(name) as progress:
        again = _all_frames if ledger.propagated else _one_volume
        rows = again(arguments, path, ledger, name, options, progress)
    table = [
        [row.name, str(row.voxels), f"{row.dice:.4f}", f"{row.ml:.2f}", f"{row.replayed_ml:.2f}"]
        for row in rows
    ]
    print_table(["object", "voxels that differ", "Dice", "ml", "ml again"], table)
    for line in _changes(ledger, name, arguments.weights):
        print(line)
    changed = sum(row.voxels for row in rows)
    if not changed:
        print(f"{path} is the same, voxel by voxel.")
        return 0
    print(f"{path} is not the same: {changed} voxels differ.")
    # Another model is meant to differ.
    return 0 if name != ledger.model else 1


def _one_volume(
    arguments: argparse.Namespace,
    path: Path,
    ledger: Ledger,
    name: str,
    options: dict[str, str],
    progress: Progress,
) -> list[Difference]:
    result, _ = read_result(path)
    if arguments.images or (ledger.images and not arguments.volume):
        files = image_files(arguments) or find_images(path, ledger)
        place, volume = files.main, files.read(ledger.suv)
    else:
        place = Path(arguments.volume) if arguments.volume else find_volume(path, ledger)
        arguments.frame, arguments.suv = ledger.frame, ledger.suv
        volume = read_volume(arguments, str(place))
    made = replay(ledger, volume, str(place), name, options, arguments.device, progress)
    return differences(result, made)


def _all_frames(
    arguments: argparse.Namespace,
    path: Path,
    ledger: Ledger,
    name: str,
    options: dict[str, str],
    progress: Progress,
) -> list[Difference]:
    results = read_frames_result(path, ledger)
    place = Path(arguments.volume) if arguments.volume else find_frames(path, ledger)
    frames = Frames(place, arguments.series, ledger.suv)
    made = replay_frames(ledger, frames, str(place), name, options, arguments.device, progress)
    return differences_of_frames(results, made)


def _changes(ledger: Ledger, model: str, weights: str | None) -> list[str]:
    """A line for each thing that is not as it was when the result was made."""
    lines = []
    if model != ledger.model:
        lines.append(f"Model: {model} instead of {ledger.model}.")
    elif weights_of(model, {"weights": weights} if weights else {}) != dict(ledger.weights):
        lines.append(f"The weights of {model} are not those of the result.")
    now = versions()
    changed = [
        f"{name} {now.get(name, 'missing')} instead of {was}"
        for name, was in ledger.versions.items()
        if now.get(name) != was
    ]
    return [*lines, *([f"Versions: {', '.join(changed)}."] if changed else [])]
