"""`medsegfm review`: the results of many volumes in the order in which they should be looked at."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..batch.records import ObjectRow, SliceRow
from ..batch.results_folder import read_batch
from ..batch.review_page import PAGE, write_page
from ..errors import CasesError
from .console import print_table
from .segmenting.many_volumes import HEADER, object_texts

SUMMARY = "list what medsegfm segment made of many volumes, the least sure first, with pictures"
EXAMPLES = """\
examples:
  medsegfm review RESULTS --below 0.9"""
_MOST = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", help="folder that medsegfm segment wrote as --out")
    parser.add_argument(
        "--slices",
        action="store_true",
        help="list slices, those with the largest expected error first, instead of objects",
    )
    parser.add_argument(
        "--below",
        type=float,
        default=1.0,
        metavar="DICE",
        help="list only what has a lower expected Dice, 0 to 1 (default: all)",
    )
    parser.add_argument(
        "--most",
        type=int,
        default=_MOST,
        metavar="N",
        help="print as many lines (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the queue, and write a page with the pictures."""
    if arguments.most < 1:
        raise CasesError(f"--most is {arguments.most}; give 1 or more.")
    if not 0 <= arguments.below <= 1:
        raise CasesError(f"--below is {arguments.below}; give a Dice from 0 to 1.")
    folder = Path(arguments.folder)
    rows, slices, failures = read_batch(folder)
    listed = [row for row in rows if not row.expected_dice >= arguments.below]
    cases = {(row.case, row.object, row.frame) for row in listed}
    parts = [item for item in slices if (item.case, item.object, item.frame) in cases]
    if arguments.slices:
        _print(("case", "object", "slice", "wrong mm²", "expected Dice"), parts, arguments.most)
    else:
        _print(HEADER, listed, arguments.most)
    write_page(folder, listed, parts, failures)
    print(f"See {folder / PAGE} for the pictures.")
    if failures:
        count = "1 case was" if len(failures) == 1 else f"{len(failures)} cases were"
        print(f"{count} not done; see {folder / 'failures.csv'}.")


def _print(header: tuple[str, ...], items: list[ObjectRow] | list[SliceRow], most: int) -> None:
    if items:
        print_table(header, [_texts(item) for item in items[:most]])
    if len(items) > most:
        print(f"{len(items) - most} more; see --most.")


def _texts(item: ObjectRow | SliceRow) -> list[str]:
    if isinstance(item, ObjectRow):
        return object_texts(item)
    unknown = item.expected_dice != item.expected_dice
    return [
        item.case,
        item.object,
        str(item.slice),
        f"{item.wrong_mm2:.0f}",
        "–" if unknown else f"{item.expected_dice:.3f}",
    ]
