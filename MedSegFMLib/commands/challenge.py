"""`medsegfm challenge`: answer the npz files of a folder as a container of the challenge does."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.cases import npz_files
from ..datasets.challenge_npz import DEFAULT_SPACING_ORDER, SPACING_ORDERS, is_challenge_file
from ..errors import CasesError, MedSegFMError, OutputError
from ..model_choice import read_choice
from ..registry import DEFAULT_MODEL
from ..system.atomic_files import make_folder, write_text
from ..system.device import DEVICE_HELP
from .console import progress_bar

if TYPE_CHECKING:
    from ..evaluate.challenge_answer import Score
    from ..segmenter import ModelCard

SUMMARY = "read the challenge's npz files with their prompts, and write segs as its containers do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("inputs", metavar="IN", help="a folder of npz files, or one of them")
    parser.add_argument("out", metavar="OUT", help="folder for npz files of the same names")
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME[=WEIGHTS][?OPTIONS]",
        help="the model, as for evaluate (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        default=DEFAULT_SPACING_ORDER,
        help="axis order of the spacing in the files (default: %(default)s)",
    )
    parser.add_argument(
        "--from-previous",
        action="store_true",
        help="start from prev_pred and take the last click of each class only, instead of all "
        "prompts in their order",
    )
    parser.add_argument(
        "--gts",
        metavar="DIR",
        help="folder of files of the same names with gts: scores the answers into metrics.csv",
    )


def run(arguments: argparse.Namespace) -> int:
    """Answer each file, and return 1 if one could not be answered, else 0."""
    from ..evaluate.challenge_answer import answer, left_empty, read_request, score, write_answer

    source, out = Path(arguments.inputs), Path(arguments.out)
    files = _files(source)
    if out.resolve() == (source if source.is_dir() else source.parent).resolve():
        raise OutputError(f"{out} is the folder of the inputs; choose another for the answers.")
    gts = None if arguments.gts is None else Path(arguments.gts)
    if gts is not None:
        _check_references(gts, files)
    segmenter = read_choice(arguments.model).create(arguments.device)
    make_folder(out, "choose another")
    scores: list[Score] = []
    failures: list[str] = []
    empty: list[str] = []
    with progress_bar("challenge") as progress:
        for n, path in enumerate(files):
            progress(n / len(files), f"Answering {path.name}, {n + 1} of {len(files)}")
            begun = time.perf_counter()
            try:
                request = read_request(path, arguments.spacing_order)
                labels = answer(request, segmenter, arguments.from_previous)
                write_answer(out / path.name, labels)
                names = left_empty(request, segmenter.card, arguments.from_previous)
                if names:
                    empty.append(_note_on_empty(path, names, segmenter.card))
                seconds = time.perf_counter() - begun
                if gts is not None:
                    truth, previous = gts / path.name, arguments.from_previous
                    scores.append(score(request, segmenter.card, truth, labels, seconds, previous))
            except MedSegFMError as error:
                failures.append(f"Not done: {path.name}: {error}")
    if gts is not None and scores:
        write_text(out / "metrics.csv", _table(scores))
        print(f"See {out / 'metrics.csv'} for the scores.")
    partly = f", {len(empty)} of them with classes left empty" if empty else ""
    print(f"{out}: {len(files) - len(failures)} of {len(files)} files were answered{partly}.")
    for sentence in (*empty, *failures):
        print(sentence, file=sys.stderr)
    return 1 if failures else 0


def _note_on_empty(path: Path, names: list[str], card: ModelCard) -> str:
    has = "it has" if len(names) == 1 else "they have"
    return (
        f"Left empty: {path.name}: {', '.join(names)}, because {has} no prompt on the object "
        f"that {card.title} takes ({', '.join(card.prompts)}); add one to the file, or choose "
        "another --model."
    )


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        if not is_challenge_file(source):
            raise CasesError(f"{source} is neither a folder nor an npz file; give one of them.")
        return [source]
    return npz_files(source)


def _check_references(gts: Path, files: list[Path]) -> None:
    lacking = [path.name for path in files if not (gts / path.name).is_file()]
    if lacking:
        raise CasesError(
            f"{gts} has no file {lacking[0]} with its gts; add it, or leave out --gts."
        )


def _table(scores: list[Score]) -> str:
    """The columns of the challenge's script; a score that does not apply is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.metadata["column"] for field in fields(scores[0])])
    for each in scores:
        writer.writerow(["" if value is None else value for value in astuple(each)])
    return text.getvalue()
