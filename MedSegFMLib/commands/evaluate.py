"""`medsegfm evaluate`: evaluate models on labelled cases."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets.challenge_npz import DEFAULT_SPACING_ORDER, SPACING_ORDERS
from ..errors import CasesError
from ..evaluate.protocols import DEFAULT_PROTOCOL
from ..system.atomic_files import make_folder
from ..system.device import DEVICE_HELP
from ..system.folder_lock import folder_lock
from .arguments.picture import add_window_argument, chosen_window
from .console import print_table, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..evaluate.protocol import Protocol
    from ..evaluate.report.summary import Summary
    from ..model_choice import ModelChoice

SUMMARY = "evaluate models on labelled cases, with a box and simulated clicks for each object"
EXAMPLES = """\
examples:
  medsegfm evaluate cases.json --models ensam,randomwalk --out results
  medsegfm evaluate cases.json --models ensam --protocol clinical --out clinical"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "cases",
        metavar="CASES.json",
        help="labelled cases, or a folder of the challenge's npz files",
    )
    parser.add_argument(
        "--models",
        required=True,
        metavar="a,b=WEIGHTS,c?NAME=VALUE&NAME=VALUE",
        help="models, separated by commas; =WEIGHTS gives the file or folder of a model's weights, "
        "and ? begins its options, as in sam?size=1024&planes=axial",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--protocol",
        default=DEFAULT_PROTOCOL,
        metavar="NAME",
        help="how prompts are placed: clicks, clinical, cvpr25, cvpr25-middle-voxel, cvpr25-text, "
        "refine or a FILE.json (default: %(default)s)",
    )
    parser.add_argument("--clicks", type=int, help="clicks per object (default: the protocol's)")
    parser.add_argument(
        "--seed",
        default="0",
        metavar="0,1",
        help="seeds of boxes and clicks, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--no-box", action="store_true", help="start with a click in the middle of the object"
    )
    parser.add_argument(
        "--jitter",
        type=float,
        metavar="FRACTION",
        help="largest random shift of each face of a box, as a fraction of its width; 0: tight box",
    )
    parser.add_argument(
        "--save-segs", action="store_true", help="save the label maps of all steps as npz files"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        help="number of processes (default: one per free core; with --ray, one per GPU or core)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run on a Ray cluster: its address, auto to find one, or local to start one here",
    )
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        help="axis order of the spacing in npz files (default: that of the CASES.json, else "
        f"{DEFAULT_SPACING_ORDER}, as written by MedSAM's script)",
    )
    add_window_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write results.csv, summary.json and report.html, and print the summary.

    Returns:
        The exit status: 1 if a case failed, else 0.
    """
    from ..datasets.cases import in_spacing_order, read_cases
    from ..evaluate.instances import prompted_cases
    from ..evaluate.report.write_outputs import write_outputs
    from ..evaluate.results.run_log import RunRecord, add_run, now, read_runs
    from ..evaluate.results.weights_used import weights_used
    from ..evaluate.run.runner import evaluate
    from ..model_choice import read_choice, split_choices

    _check_numbers(arguments)
    seeds = _seeds(arguments.seed)
    # A model or option that does not exist raises before anything is written.
    models = split_choices(arguments.models)
    choices = [read_choice(text) for text in models]
    protocol = _protocol(arguments)
    window = chosen_window(arguments)
    listed = in_spacing_order(read_cases(Path(arguments.cases)), arguments.spacing_order)
    cases = prompted_cases(listed, protocol)
    folder = Path(arguments.out)
    # So does a damaged record.
    read_runs(folder)
    start_time = now()
    make_folder(folder, "choose another with --out")
    with folder_lock(folder, "or choose another with --out"):
        with progress_bar("evaluate") as progress:
            finished = evaluate(
                cases,
                models,
                seeds,
                folder,
                protocol,
                arguments.jobs or arguments.threads,
                arguments.device,
                progress,
                arguments.ray,
                window,
            )
        rows, failures = finished.rows, finished.failures
        if not rows:
            raise CasesError(f"No case could be evaluated: {failures[0].reason}")
        command = shlex.join(["medsegfm", *_public_words(arguments, choices)])
        weights = weights_used(models)
        record = RunRecord(
            command, seeds, start_time, finished.done, len(failures), finished.machines, weights
        )
        runs = add_run(folder, record)
        summary = write_outputs(rows, failures, cases, protocol, runs, folder)
    print_models(summary)
    if any(case.images is not None for case in cases):
        for choice in choices:
            if choice.card.channels == 1:
                print(f"{choice.text} takes one image of each case and uses the primary one.")
    print(f"See {folder / 'report.html'} for every case.")
    for failure in failures:
        print(f"Not done: {failure.case}, {failure.model}: {failure.reason}", file=sys.stderr)
    return 1 if failures else 0


def _public_words(arguments: argparse.Namespace, choices: Sequence[ModelChoice]) -> list[str]:
    """The words of the command, without what is private of the models."""
    public = ",".join(choice.text for choice in choices)
    return [word.replace(arguments.models, public) for word in arguments.words]


def print_models(summary: Summary) -> None:
    """Print a row for each model, its numbers as the report has them."""
    from ..evaluate.report.summary import COLUMNS
    from ..metrics.measures import F1

    table = []
    # An area under a curve needs five steps.
    known = {
        key: measure
        for key, measure in COLUMNS.items()
        if any(not math.isnan(summary.column(model, key)) for model in summary.models)
    }
    for model, group in summary.models.items():
        low, high = group.intervals["dsc_final"]
        cells = {key: measure.text(summary.column(model, key)) for key, measure in known.items()}
        if not math.isnan(low):
            limits = (COLUMNS["dsc_final"].text(limit) for limit in (low, high))
            cells["dsc_final"] += f" [{', '.join(limits)}]"
        table.append([model, str(group.n), *cells.values()])
    print_table(["model", "cases", *(m.heading for m in known.values())], table)
    for model, score in summary.instances.items():
        print(
            f"{model}: F1 of instances {F1.text(score.mean)} in {score.n} case"
            f"{'' if score.n == 1 else 's'}"
        )
    if summary.caution:
        print(summary.caution)


def _protocol(arguments: argparse.Namespace) -> Protocol:
    """The protocol with the changes from the command line."""
    from ..evaluate.protocols import read_protocol

    changes: dict[str, Any] = {
        name: value
        for name in ("clicks", "jitter")
        if (value := getattr(arguments, name)) is not None
    }
    if arguments.no_box:
        changes["box"] = False
    if arguments.save_segs:
        changes["save_segs"] = True
    return replace(read_protocol(arguments.protocol), **changes)


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name, least in (("clicks", 0), ("jobs", 1)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise CasesError(f"--{name} is {value}; give {least} or more.")
    if arguments.jitter is not None and not 0 <= arguments.jitter < 0.5:
        raise CasesError(f"--jitter is {arguments.jitter}; give at least 0 and less than 0.5.")


def _seeds(text: str) -> list[int]:
    """The given seeds without duplicates."""
    parts = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(part.isdecimal() for part in parts):
        raise CasesError(
            f"--seed is '{text}'; give whole numbers of 0 or more, separated by commas."
        )
    return [int(part) for part in parts]
