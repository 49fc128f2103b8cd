"""The agreement of looks from which words are not asked about, calibrated on labelled cases.

No trained model that takes words was available. `ensam` stands in for one: each object gets its
box, in the image and in the mirror image, and the agreement of the two answers is their Dice. An
answer is right if its Dice with the reference is at least 0.5. The bound is the agreement that
right answers of a further case reach with 90 %, by the conformal quantile of
`consistency.lower_bound`: about so many of them are given without a question. What it makes of
wrong answers is printed too. For a real model of words, calibrate again with `--model NAME`; its
words are the objects' names.

Run from the checkout:
tools/training_sources DATA --output sources.json --validation validation.json
PYTHONPATH=. python Testing/benchmarks/asking.py collect validation.json looks.csv
PYTHONPATH=. python Testing/benchmarks/asking.py calibrate looks.csv
The second writes the library's bound and prints the table of Docs/consistency.md.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from MedSegFMLib import Box, Segmenter, Session, Text, Volume, create
from MedSegFMLib.consistency.asking import bound
from MedSegFMLib.consistency.asking.mirror import Mirror
from MedSegFMLib.consistency.lower_bound import COVERAGE, quantile
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.datasets.loading import LoadedCase, load_case
from MedSegFMLib.evaluate.protocol import derive_seed
from MedSegFMLib.metrics import dice
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.simulate import box_around
from MedSegFMLib.volumes.segmentations.vocabulary import mirrored_name

FILE = Path(bound.__file__).with_name("bounds.json")
JITTER = 0.1
RIGHT = 0.5


@dataclass(frozen=True)
class Row:
    """Two looks at an object: their Dice, and that of the first with the reference."""

    case: str
    object: str
    agreement: float
    dsc: float


def collect(model: Segmenter, case: Case, name: str, value: int, loaded: LoadedCase) -> Row:
    """The looks at one object."""
    volume, reference = loaded.image, loaded.label.array_kji == value
    mirror = Mirror.of(volume)
    mirrored = np.flip(reference, mirror.axis_kji)
    by_words = model.card.takes_words
    found = []
    for number, (image, label, words) in enumerate(
        (
            (volume, reference, name),
            (mirror.volume(volume), mirrored, mirrored_name(name)),
        )
    ):
        # Another box in the mirror image, as another guess of a model would be.
        seed = derive_seed(0, case.name, name, number)
        found.append(_mask(model, image, Text(words) if by_words else _box(image, label, seed)))
    back = np.flip(found[1], mirror.axis_kji)
    return Row(case.name, name, dice(found[0], back), dice(reference, found[0]))


def _box(image: Volume, label: np.ndarray, seed: int) -> Prompt:
    start, stop = box_around(label, JITTER, seed)
    return Box.from_ijk(image.geometry, start[::-1], stop[::-1])


def _mask(model: Segmenter, image: Volume, prompt: Prompt) -> np.ndarray:
    session = Session(model, image)
    session.add(prompt)
    return session.predict().mask.array_kji > 0


def calibrate(rows: Sequence[Row], model: str) -> None:
    """Write the bound, and print what it makes of right and wrong answers."""
    scores = defaultdict(list)
    for row in rows:
        if row.dsc >= RIGHT:
            scores[row.case].append(-row.agreement)
    least = round(-quantile(scores), 3)
    document = {
        "agreement": least,
        "coverage": COVERAGE,
        "calibrated_on": {"model": model, "prompts": "a box", "cases": len(scores)},
    }
    if create(model, "cpu").card.takes_words:
        document["calibrated_on"] = {"model": model, "prompts": "words", "cases": len(scores)}
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"Asked about below an agreement of {least}.\n")
    print("| answers | number | asked about | median agreement |")
    print("|---" * 4 + "|")
    for title, chosen in (
        (f"right (Dice {RIGHT} and more)", [row for row in rows if row.dsc >= RIGHT]),
        ("wrong", [row for row in rows if row.dsc < RIGHT]),
    ):
        agreed = np.array([row.agreement for row in chosen])
        share = f"{np.mean(agreed < least):.0%}" if len(chosen) else "–"
        median = f"{np.median(agreed):.2f}" if len(chosen) else "–"
        print(f"| {title} | {len(chosen)} | {share} | {median} |")


def _read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(item["case"], item["object"], float(item["agreement"]), float(item["dsc"]))
            for item in csv.DictReader(file)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("collect", "calibrate"))
    parser.add_argument("file", type=Path, help="cases to collect from, else a collected CSV file")
    parser.add_argument("out", type=Path, nargs="?", help="the CSV file to collect in")
    parser.add_argument("--model", default="ensam")
    arguments = parser.parse_args()
    if arguments.step == "calibrate":
        calibrate(_read(arguments.file), arguments.model)
        return
    model = create(arguments.model, "cpu")
    rows: list[Row] = []
    for case in read_cases(arguments.file):
        loaded = load_case(case)
        rows += [collect(model, case, name, value, loaded) for value, name in case.objects]
        with arguments.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)])
            writer.writeheader()
            writer.writerows(map(asdict, rows))


if __name__ == "__main__":
    main()
