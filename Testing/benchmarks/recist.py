"""Boxes to give a model for a RECIST line, and a click beside it, compared by Dice.

Run from the checkout:
PYTHONPATH=. python Testing/benchmarks/recist.py VALIDATION.json [--model ensam] [--only STS,ct_]

The lines are the longest diameters on the axial slice of the largest cross-section. The ways vary
what `prompts.line_marks` makes of a line: the width of its ellipsoid within the slice and across
slices, as parts of the line's length; one adds a click in the middle. The tight box is what a line
cannot know. The table is that of Docs/results.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from MedSegFMLib import Box, Prompt, Session, Volume, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.metrics import dice
from MedSegFMLib.prompts import line_marks
from MedSegFMLib.segmenter import Segmenter
from MedSegFMLib.session import predictor
from MedSegFMLib.simulate import box_around, longest_diameter

# Width, depth, and whether there is a click in the middle as well.
WAYS = (
    (0.75, 0.75, False),
    (0.75, 1.0, False),
    (0.75, 1.25, False),
    (0.75, 1.5, False),
    (0.9, 1.0, False),
    (0.9, 1.25, False),
    (1.0, 1.0, False),
    (1.0, 1.25, False),
    (0.9, 1.25, True),
)
# Below this an object counts as missed.
_MISSED = 0.5


@dataclass(frozen=True)
class Object:
    """An object to segment: the image, and the object in it, bool (K, J, I)."""

    image: Volume
    reference: np.ndarray


def objects(path: Path, only: Sequence[str]) -> list[Object]:
    """The objects of the cases whose names begin with one of some words."""
    found = []
    for case in read_cases(path):
        if case.name.startswith(tuple(only)):
            loaded = load_case(case)
            masks = (loaded.label.array_kji == value for value, _ in case.objects)
            found += [Object(loaded.image, mask) for mask in masks if mask.any()]
    return found


def score(model: Segmenter, item: Object, prompt: Prompt) -> float:
    """The Dice of the answer to one prompt."""
    session = Session(model, item.image)
    session.add(prompt)
    return float(dice(item.reference, session.predict().mask.array_kji > 0))


def report(title: str, scores: Sequence[float]) -> None:
    """Print a row of the table."""
    values = np.array(scores)
    missed = np.mean(values < _MISSED)
    print(f"| {title} | {values.mean():.3f} | {np.median(values):.3f} | {missed:.0%} |", flush=True)


def main() -> None:
    """Compare the ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--model", default="ensam")
    parser.add_argument("--only", default="", help="beginnings of names, with commas")
    arguments = parser.parse_args()
    model = create(arguments.model, "cpu")
    items = objects(arguments.cases, arguments.only.split(","))
    print(f"{len(items)} objects, {arguments.model}")
    print("| width, depth, click | mean Dice | median | below 0.5 |")
    print("|---" * 4 + "|")
    tight = []
    for item in items:
        start, stop = box_around(item.reference, 0.0, 0)
        box = Box.from_ijk(item.image.geometry, start[::-1], stop[::-1])
        tight.append(score(model, item, box))
    report("tight box", tight)
    lines = [longest_diameter(item.reference, item.image.geometry) for item in items]
    for width, depth, clicks in WAYS:
        scores = []
        for item, line in zip(items, lines, strict=True):
            with patch.multiple(line_marks, _WIDTH=width, _DEPTH=depth):
                box = line_marks.line_box(line, item.image.geometry)
            given = (line_marks.line_middle(line), box) if clicks else (box,)
            # In one step, as sessions do it.
            with patch.object(predictor, "without_lines", lambda *_, given=given: given):
                scores.append(score(model, item, line))
        report(f"{width:g}, {depth:g}, {'yes' if clicks else 'no'}", scores)


if __name__ == "__main__":
    main()
