"""`medsegfm convert`: convert between the challenge's npz files and volumes with a CASES.json."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.challenge_npz import DEFAULT_SPACING_ORDER, SPACING_ORDERS
from ..errors import CasesError
from .console import progress_bar

if TYPE_CHECKING:
    from ..datasets.cases import Case

_BOX_RULES = ("challenge", "challenge-middle-voxel")
SUMMARY = "convert cases between the CVPR 2025 challenge's npz files and NIfTI with a CASES.json"
EXAMPLES = """\
examples:
  medsegfm convert cases.json --out npz
  medsegfm convert NPZ_FOLDER --out volumes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a CASES.json, a folder that has one, an image (with --label), an npz file or a "
        "folder of npz files",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="OUT",
        help="a new folder, a .npz file for one image, or a .json file that lists npz files",
    )
    parser.add_argument("--label", metavar="FILE", help="label map of the image or npz file")
    parser.add_argument(
        "--labels", metavar="DIR", help="folder of npz files of the same names with the labels"
    )
    parser.add_argument(
        "--objects", metavar="1=liver,2=spleen", help="objects of the image (default: all)"
    )
    parser.add_argument(
        "--modality", default="unknown", help="modality of the image (default: %(default)s)"
    )
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        help="axis order of the spacing in npz files (default: that of the CASES.json, else "
        f"{DEFAULT_SPACING_ORDER}, as written by MedSAM's script)",
    )
    parser.add_argument(
        "--boxes", action="store_true", help="add a box for each label, by the challenge's rule"
    )
    parser.add_argument(
        "--box-rule",
        choices=_BOX_RULES,
        default=_BOX_RULES[0],
        help="the rule of --boxes; the second is that of the challenge before May 2025 (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="grey values mapped to 0 and 255 in npz files, as in the challenge (default: "
        "unchanged)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Convert, and print what was written."""
    from ..datasets.challenge_npz import is_challenge_file
    from ..evaluate.conversion import Npz, list_npz, npz_to_volumes, volumes_to_npz

    source, out = Path(arguments.source), Path(arguments.out)
    order = arguments.spacing_order or DEFAULT_SPACING_ORDER
    cases, unlabelled = _cases(arguments, source)
    is_list = source.suffix.lower() == ".json"
    if is_list or not all(is_challenge_file(case.image) for case in cases):
        if out.suffix.lower() == ".json":
            raise CasesError(
                f"{out} would list npz files, but {source} is not one; use a folder for --out."
            )
        settings = Npz(order, arguments.box_rule if arguments.boxes else None, _window(arguments))
        with progress_bar("convert") as progress:
            written = volumes_to_npz(cases, out, settings, progress)
    elif out.suffix.lower() == ".json":
        if unlabelled:
            raise CasesError(
                f"{unlabelled[0]} has no 'gts', but a list is of labelled cases; name the "
                "folder of the labels with --labels, or a folder for --out."
            )
        written = list_npz(cases, out)
    else:
        with progress_bar("convert") as progress:
            written = npz_to_volumes(cases, out, progress, unlabelled, order)
    for sentence in written.notes:
        print(sentence, file=sys.stderr)
    count = len(cases) + len(unlabelled)
    print(f"{written.path}: {count} case{'' if count == 1 else 's'}.")


def _cases(arguments: argparse.Namespace, source: Path) -> tuple[list[Case], list[Path]]:
    """The labelled cases of a source, and npz files without labels."""
    from ..datasets.cases import in_spacing_order, read_cases
    from ..datasets.challenge_npz import cases_file, has_labels, is_challenge_file

    # Labels in another folder are for the npz files themselves.
    if source.is_dir() and arguments.labels is None and cases_file(source) is not None:
        cases = in_spacing_order(read_cases(source), arguments.spacing_order)
        if not all(is_challenge_file(case.image) for case in cases):
            return cases, []
        listed = {case.image.name for case in cases}
        others = [path for path in sorted(source.glob("*.npz")) if path.name not in listed]
        return cases, [path for path in others if not has_labels(path)]
    if source.is_dir() or source.suffix.lower() == ".npz":
        return _npz_cases(arguments, source)
    if source.suffix.lower() == ".json":
        return read_cases(source), []
    if arguments.label is None:
        raise CasesError(f"{source} is an image without labels; give its label map with --label.")
    return [_volume_case(arguments, source)], []


def _volume_case(arguments: argparse.Namespace, source: Path) -> Case:
    from ..datasets.cases import Case
    from ..evaluate.conversion import file_stem, present_objects

    label = Path(arguments.label)
    objects = _objects(arguments.objects) if arguments.objects else present_objects(label, source)
    return Case(file_stem(source), source.parent, source, label, arguments.modality, objects)


def _npz_cases(arguments: argparse.Namespace, source: Path) -> tuple[list[Case], list[Path]]:
    """The cases of a folder or file, and the files without labels."""
    from ..datasets.cases import challenge_case, npz_files
    from ..datasets.challenge_npz import has_labels

    order = arguments.spacing_order or DEFAULT_SPACING_ORDER
    if source.is_dir():
        labels = Path(arguments.labels) if arguments.labels else None
        pairs = [(path, labels / path.name if labels else path) for path in npz_files(source)]
    else:
        pairs = [(source, Path(arguments.label) if arguments.label else source)]
    unlabelled = [image for image, label in pairs if image == label and not has_labels(image)]
    cases = [
        challenge_case(image, label, order) for image, label in pairs if image not in unlabelled
    ]
    return cases, unlabelled


def _objects(text: str) -> tuple[tuple[int, str], ...]:
    pairs = [part.partition("=") for part in text.split(",")]
    objects = [(number.strip(), name.strip()) for number, _, name in pairs]
    numbers = [number for number, _ in objects]
    names = [name for _, name in objects]
    is_valid = all(number.isdecimal() and int(number) and name for number, name in objects)
    if not is_valid or len(set(numbers)) < len(numbers) or len(set(names)) < len(names):
        raise CasesError(
            f"--objects is '{text}'; give labels above 0 with unique names, as in 1=liver,2=spleen."
        )
    return tuple((int(number), name) for number, name in objects)


def _window(arguments: argparse.Namespace) -> tuple[float, float] | None:
    if arguments.window is None:
        return None
    low, high = arguments.window
    if not low < high < float("inf"):
        raise CasesError(f"--window is {low:g} {high:g}; give the lower value first.")
    return low, high
