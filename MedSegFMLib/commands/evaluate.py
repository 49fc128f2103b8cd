"""`medsegfm evaluate`: models measured on labelled cases."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..atomic import write_text
from ..errors import CasesError
from ..registry import card
from .console import print_table, progress_bar

SUMMARY = "measure models on labelled cases: a box and simulated clicks for each object"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("cases", metavar="CASES.json", help="the labelled cases")
    parser.add_argument("--models", required=True, metavar="a,b", help="models, with commas")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--clicks", type=int, default=5, help="clicks per object (%(default)s)")
    parser.add_argument(
        "--seed", default="0", metavar="0,1", help="of boxes and clicks, several with commas (0)"
    )
    parser.add_argument(
        "--no-box", action="store_true", help="begin with a click in the middle of the object"
    )
    parser.add_argument(
        "--jitter",
        type=float,
        default=0.0,
        metavar="PART",
        help="how far each face of a box may be off, as part of its width (%(default)s: tight)",
    )
    parser.add_argument("--jobs", type=int, help="processes (default: one per core)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write results.csv, summary.json and report.html, and print the summary.

    Returns the exit status: 1 where something was not done, else 0.
    """
    from ..cases import read_cases
    from ..evaluate.protocol import Protocol
    from ..evaluate.report import write_report
    from ..evaluate.runner import evaluate
    from ..evaluate.summary import COLUMNS, summarise

    _check_numbers(arguments)
    seeds = _seeds(arguments.seed)
    models = list(dict.fromkeys(name.strip() for name in arguments.models.split(",")))
    for model in models:
        card(model)
    cases = read_cases(Path(arguments.cases))
    folder = Path(arguments.out)
    protocol = Protocol(arguments.clicks, arguments.jitter, box=not arguments.no_box)
    with progress_bar("evaluate") as progress:
        rows, failures = evaluate(
            cases, models, seeds, folder, protocol, arguments.jobs, arguments.device, progress
        )
    if not rows:
        raise CasesError(f"No case could be evaluated: {failures[0].reason}")
    summary = summarise(rows)
    write_text(folder / "summary.json", json.dumps(summary, indent=1))
    write_report(rows, failures, cases, folder, protocol)
    print_table(
        ["model", *COLUMNS.values()],
        [
            [model, *("–" if scores[key] is None else f"{scores[key]:g}" for key in COLUMNS)]
            for model, scores in summary.items()
        ],
    )
    print(f"{folder / 'report.html'} shows every case.")
    for failure in failures:
        print(f"Not done: {failure.case}, {failure.model}: {failure.reason}", file=sys.stderr)
    return 1 if failures else 0


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name, least in (("clicks", 0), ("jobs", 1)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise CasesError(f"--{name} is {value}; give {least} or more.")
    if not 0 <= arguments.jitter < 0.5:
        raise CasesError(f"--jitter is {arguments.jitter}; give 0 or more, and less than 0.5.")


def _seeds(text: str) -> list[int]:
    """The seeds given, each once."""
    parts = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(part.isdecimal() for part in parts):
        raise CasesError(f"--seed is '{text}'; give whole numbers of 0 or more, with commas.")
    return [int(part) for part in parts]
