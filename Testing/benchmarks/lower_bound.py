"""The lower bound of the Dice: its calibration, and its coverage on cases that had no part in it.

Each object gets a box with jitter 0.1 and clicks by the challenge's rule.

Run from the checkout, with validation cases and then with others:
PYTHONPATH=. python Testing/benchmarks/lower_bound.py collect VALIDATION.json calibration.csv
PYTHONPATH=. python Testing/benchmarks/lower_bound.py calibrate calibration.csv
PYTHONPATH=. python Testing/benchmarks/lower_bound.py collect CASES.json others.csv
PYTHONPATH=. python Testing/benchmarks/lower_bound.py coverage others.csv
The second writes the library's calibration, the last prints the tables of Docs/consistency.md.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from MedSegFMLib import Box, Point, Segmenter, Session, create
from MedSegFMLib.consistency import lower_bound as bounds
from MedSegFMLib.consistency.stopping import is_settled
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.datasets.loading import LoadedCase, load_case
from MedSegFMLib.evaluate.protocol import derive_seed
from MedSegFMLib.metrics import dice
from MedSegFMLib.simulate import box_around, next_click
from MedSegFMLib.weights.checksums import own_sha256
from MedSegFMLib.weights.store import find

CLICKS = 5
JITTER = 0.1
# The numbers of clicks that are calibrated together.
GROUPS = ((0, 0), (1, 2), (3, CLICKS))
SIZES = ((0, 1_000), (1_000, 10_000), (10_000, 100_000_000))
FILE = Path(bounds.__file__).with_name("calibrations.json")


@dataclass(frozen=True)
class Row:
    """A prediction: the evidence, the true Dice, and what the last click changed."""

    case: str
    modality: str
    object: str
    clicks: int
    expected_dice: float
    voxels: int
    added: int
    removed: int
    dsc: float


def collect(model: Segmenter, case: Case, name: str, value: int, loaded: LoadedCase) -> list[Row]:
    """The predictions of one object."""
    reference = loaded.label.array_kji == value
    geometry = loaded.image.geometry
    session = Session(model, loaded.image)
    start, stop = box_around(reference, JITTER, derive_seed(0, case.name, name, 0))
    session.add(Box.from_ijk(geometry, start[::-1], stop[::-1]))
    before = np.zeros_like(reference)
    rows = []
    for clicks in range(CLICKS + 1):
        prediction = session.predict()
        found = bounds.evidence(prediction, session.prompts.steps(1)[-1])
        mask = prediction.mask.array_kji > 0
        if found.expected_dice is None:
            break
        added, removed = np.count_nonzero(mask & ~before), np.count_nonzero(before & ~mask)
        rows.append(
            Row(
                case.name,
                case.modality or "",
                name,
                clicks,
                found.expected_dice,
                found.voxels,
                int(added),
                int(removed),
                dice(reference, mask),
            )
        )
        click = next_click(reference, mask, derive_seed(0, case.name, name, clicks + 1))
        if click is None:
            break
        at, positive = click
        session.add(Point.from_ijk(geometry, at[::-1], positive))
        before = mask
    return rows


def calibrate(rows: Sequence[Row], model: str) -> None:
    """Write the calibration of a model with its installed weights."""
    strata = []
    for low, high in GROUPS:
        own = [row for row in rows if low <= row.clicks <= high]
        scores = defaultdict(list)
        for row in own:
            scores[row.case].append(bounds.score(row.expected_dice, row.dsc))
        strata.append(
            {
                "clicks": [low, high],
                "cases": len(scores),
                "quantile": round(bounds.quantile(scores), 4),
                "voxels": [min(row.voxels for row in own), max(row.voxels for row in own)],
                "least_expected_dice": round(min(row.expected_dice for row in own), 4),
            }
        )
    document = {model: {"weights_sha256": own_sha256(find(model)), "strata": strata}}
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def coverage(rows: Sequence[Row], model: str) -> None:
    """Print how often the true Dice is at least the bound, by group, modality and size."""
    calibration = bounds.calibration_of(model, {})
    assert calibration is not None, "calibrate first"
    print("| predictions | number | with a bound | covered | mean bound | mean Dice |")
    print("|---" * 6 + "|")
    for title, chosen in _parts(rows):
        found = [bounds.lower_bound(calibration, _evidence(row)) for row in chosen]
        # A bound that is too low to say anything is not shown to users, and counts as 0 here.
        known = [
            (bound.value or 0.0, row.dsc)
            for bound, row in zip(found, chosen, strict=True)
            if bound.value is not None or bound.unlike == bounds.SAYS_NOTHING
        ]
        if not known:
            print(f"| {title} | {len(chosen)} | 0 | – | – | – |")
            continue
        low, true = np.array(known).T
        covered = np.mean(true >= low)
        print(
            f"| {title} | {len(chosen)} | {len(known)} | {covered:.2f} | {low.mean():.2f} "
            f"| {true.mean():.2f} |"
        )


def stopping(rows: Sequence[Row]) -> None:
    """Print what a further click gains after one that changed little, and after any."""
    after = {(row.case, row.object, row.clicks): row for row in rows}
    print("\n| after a click | clicks | further click gains > 0.02 | mean gain | mean Dice |")
    print("|---" * 5 + "|")
    tests: dict[str, Callable[[Row], bool]] = {
        "that changed little": lambda r: is_settled(r.voxels, r.added, r.removed),
        "of any kind": lambda r: True,
    }
    for title, test in tests.items():
        pairs = [
            (row.dsc, after[key].dsc - row.dsc)
            for row in rows
            if row.clicks and test(row) and (key := (row.case, row.object, row.clicks + 1)) in after
        ]
        true, gain = np.array(pairs).T
        print(
            f"| {title} | {len(pairs)} | {np.mean(gain > 0.02):.0%} | {gain.mean():.3f} "
            f"| {true.mean():.2f} |"
        )


def _parts(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for low, high in GROUPS:
        title = "after the box" if high == 0 else f"after {low} to {high} clicks"
        yield title, [row for row in rows if low <= row.clicks <= high]
    for modality in sorted({row.modality.split()[0] for row in rows}):
        yield modality, [row for row in rows if row.modality.split()[0] == modality]
    for least, most in SIZES:
        title = f"{least:,} voxels and more" if most > 1e7 else f"{least:,} to {most:,} voxels"
        yield title, [row for row in rows if least <= row.voxels < most]


def _evidence(row: Row) -> bounds.Evidence:
    return bounds.Evidence(row.expected_dice, row.voxels, row.clicks)


def _write(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def _read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(
                item["case"],
                item["modality"],
                item["object"],
                int(item["clicks"]),
                float(item["expected_dice"]),
                int(item["voxels"]),
                int(item["added"]),
                int(item["removed"]),
                float(item["dsc"]),
            )
            for item in csv.DictReader(file)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("collect", "calibrate", "coverage"))
    parser.add_argument("file", type=Path, help="cases to collect from, else a collected CSV file")
    parser.add_argument("out", type=Path, nargs="?", help="the CSV file to collect in")
    parser.add_argument("--model", default="ensam")
    arguments = parser.parse_args()
    if arguments.step == "collect":
        model = create(arguments.model, "cpu")
        rows: list[Row] = []
        for case in read_cases(arguments.file):
            loaded = load_case(case)
            for value, name in case.objects:
                rows += collect(model, case, name, value, loaded)
            _write(arguments.out, rows)
    elif arguments.step == "calibrate":
        calibrate(_read(arguments.file), arguments.model)
    else:
        rows = _read(arguments.file)
        coverage(rows, arguments.model)
        stopping(rows)


if __name__ == "__main__":
    main()
