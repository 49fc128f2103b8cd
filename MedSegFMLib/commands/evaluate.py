"""`medsegfm evaluate`: models measured on labelled cases."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..atomic import write_text
from ..errors import CasesError, OutputError
from ..registry import card
from .console import print_table, progress_bar

SUMMARY = "measure models on labelled cases: a box and simulated clicks for each object"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("cases", metavar="CASES.json", help="the labelled cases")
    parser.add_argument("--models", required=True, metavar="a,b", help="models, with commas")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--clicks", type=int, default=5, help="clicks per object (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of boxes and clicks (%(default)s)")
    parser.add_argument(
        "--jitter",
        type=float,
        default=0.0,
        metavar="PART",
        help="how far each face of a box may be off, as part of its width (%(default)s: tight)",
    )
    parser.add_argument("--jobs", type=int, help="processes (default: one per core)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, write results.csv, summary.json and report.html, and print the summary."""
    from ..evaluate.cases import read_cases
    from ..evaluate.protocol import Protocol
    from ..evaluate.report import write_report
    from ..evaluate.results import summarise
    from ..evaluate.runner import evaluate

    if arguments.clicks < 0 or not 0 <= arguments.jitter < 0.5:
        raise CasesError(
            f"--clicks is {arguments.clicks} and --jitter {arguments.jitter}; clicks must be 0 or "
            "more, jitter between 0 and 0.5."
        )
    models = list(dict.fromkeys(arguments.models.split(",")))
    for model in models:
        card(model)
    cases = read_cases(Path(arguments.cases))
    folder = Path(arguments.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    protocol = Protocol(arguments.clicks, arguments.seed, arguments.jitter)
    with progress_bar("evaluate") as progress:
        rows, failures = evaluate(
            cases, models, folder, protocol, arguments.jobs, arguments.device, progress
        )
    if not rows:
        raise CasesError(f"No case could be evaluated: {failures[0].reason}")
    summary = summarise(rows)
    write_text(folder / "summary.json", json.dumps(summary, indent=1))
    write_report(rows, failures, cases, folder, protocol)
    keys = ("dsc_box", "dsc_final", "dsc_auc", "nsd_final", "nsd_auc", "seconds_per_click", "n")
    print_table(
        ["model", *keys],
        [
            [model, *("–" if scores[key] is None else f"{scores[key]:g}" for key in keys)]
            for model, scores in summary.items()
        ],
    )
    for failure in failures:
        print(f"Not done: {failure.case}, {failure.model}: {failure.reason}")
    print(f"{folder / 'report.html'} shows every case.")
