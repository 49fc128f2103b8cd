"""Whether clicking where the planes say so helps: Dice after a box and n clicks on labelled cases.

Each object gets a tight box, then clicks that are placed (a) by the challenge's rule, which knows
the reference, (b) at the suggestion, (c) anywhere in the box and a tenth around it. All clicks have
the sign that the reference says. Beside it: what agreement and expected Dice tell of the true one.

Run from the checkout:
PYTHONPATH=. python Testing/benchmarks/suggestions.py CASES.json OUT [--models ensam,randomwalk]
It writes OUT/clicks.csv, goes on there where it was stopped, and draws OUT/suggestions.png.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from MedSegFMLib import Box, Point, Segmenter, Session, create
from MedSegFMLib.consistency import Consistency, PlaneViews, measure
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.datasets.loading import LoadedCase, load_case
from MedSegFMLib.evaluate.protocol import derive_seed
from MedSegFMLib.metrics import dice
from MedSegFMLib.simulate import box_around, next_click
from MedSegFMLib.volumes.region import Region, Shape, shape_triple

CLICKS = 5
RANDOM_RUNS = 3
# Whose answers the planes are asked about.
MEASURED = ("oracle", "suggestion")
CURVES = {"oracle": "#009E73", "suggestion": "#0072B2", "random": "#D55E00"}


@dataclass(frozen=True)
class Row:
    """One answer: the Dice after so many clicks, and what the planes told of it.

    hit: whether the click that led here lay on an error; empty before the first click.
    """

    case: str
    object: str
    model: str
    policy: str
    clicks: int
    dsc: float
    agreement: float | str = ""
    expected_dice: float | str = ""
    hit: int | str = ""


class Play:
    """One object of a case, clicked by one policy."""

    def __init__(self, case: Case, name: str, value: int, loaded: LoadedCase, model: Segmenter):
        self.case, self.name, self.model = case.name, name, model
        self.reference = loaded.label.array_kji == value
        self.session = Session(model, loaded.image)
        self.views = PlaneViews(self.session)
        start, stop = box_around(self.reference, 0.0, 0)
        self.box = Region(start, stop)
        self.session.add(Box.from_ijk(loaded.image.geometry, start[::-1], stop[::-1]))

    def rows(self, policy: str, place: Callable[[Play, int], Shape | None]) -> Iterator[Row]:
        """The rows of a policy, which says where to click before each step, or None to wait."""
        told: dict[str, Any] = {}
        for step in range(CLICKS + 1):
            mask = self.session.predict().mask.array_kji > 0
            found = self.consistency() if policy in MEASURED else None
            if found is not None:
                told["agreement"] = "" if found.agreement is None else found.agreement
                told["expected_dice"] = "" if found.expected_dice is None else found.expected_dice
            score = dice(self.reference, mask)
            yield Row(self.case, self.name, self.model.card.name, policy, step, score, **told)
            told = {}
            at = place(self, step)
            if at is not None:
                positive = bool(self.reference[at])
                told["hit"] = int(bool(mask[at]) != positive)
                geometry = self.session.volume.geometry
                self.session.add(Point.from_ijk(geometry, at[::-1], positive))

    def consistency(self) -> Consistency:
        """What the planes say of the present answer."""
        (prediction,) = self.views.predict_all().values()
        return measure(prediction, [prompt for _, prompt in self.session.prompts.entries])


def by_oracle(play: Play, step: int) -> Shape | None:
    """The middle of the largest error."""
    mask = play.session.predict().mask.array_kji > 0
    seed = derive_seed(0, play.case, play.name, step + 1)
    click = next_click(play.reference, mask, seed)
    return None if click is None else click[0]


def by_suggestion(play: Play, step: int) -> Shape | None:
    """Where the planes say so."""
    spot = play.consistency().suggestion
    return None if spot is None else spot.click_kji


def at_random(run: int) -> Callable[[Play, int], Shape | None]:
    """Anywhere in the box and a tenth of its width around it."""

    def place(play: Play, step: int) -> Shape | None:
        seed = derive_seed(1000 + run, play.case, play.name, step + 1)
        margin = [round(0.1 * n) for n in play.box.shape_kji]
        around = play.box.grown(margin, play.reference.shape)
        rng = np.random.default_rng(seed)
        return shape_triple(rng.integers(around.start_kji, around.stop_kji).tolist())

    return place


POLICIES: dict[str, Callable[[Play, int], Shape | None]] = {
    "oracle": by_oracle,
    "suggestion": by_suggestion,
    **{f"random {run}": at_random(run) for run in range(RANDOM_RUNS)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", default="ensam,randomwalk")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "clicks.csv"
    rows = _read(path)
    done = {(row.case, row.object, row.model) for row in rows}
    models = {name: create(name, "cpu") for name in arguments.models.split(",")}
    for case in read_cases(arguments.cases):
        wanted = [
            (value, name, model)
            for value, name in case.objects
            for model in models
            if (case.name, name, model) not in done
        ]
        loaded = load_case(case) if wanted else None
        for value, name, model in wanted:
            assert loaded is not None
            new = [
                row
                for policy, place in POLICIES.items()
                for row in Play(case, name, value, loaded, models[model]).rows(policy, place)
            ]
            rows += new
            _append(path, new)
    report(rows, list(models))
    draw(rows, list(models), arguments.out / "suggestions.png")


def report(rows: list[Row], models: list[str]) -> None:
    """The tables of Docs/consistency.md."""
    print(
        "| model | clicks placed | " + " | ".join(["box", *map(str, range(1, CLICKS + 1))]) + " |"
    )
    print("|---" * (CLICKS + 3) + "|")
    for model in models:
        for policy in CURVES:
            curve = _curve(rows, model, policy)
            print(f"| {model} | {policy} | " + " | ".join(f"{v:.3f}" for v in curve) + " |")
    print(
        "\nOf the clicks, how many lay on an error; the gain in Dice after five, and how much of it"
    )
    print("beyond the random clicks' (mean over objects and its standard error):\n")
    print("| model | placed | on an error | gain | of the oracle's | beyond random |")
    print("|---" * 6 + "|")
    for model in models:
        gains = {policy: _gains(rows, model, policy) for policy in CURVES}
        for policy in CURVES:
            own = [row for row in rows if row.model == model and _is(row, policy)]
            hits = np.mean([float(row.hit) for row in own if row.hit != ""])
            gain = np.mean(gains[policy])
            more = gains[policy] - gains["random"]
            error = np.std(more, ddof=1) / np.sqrt(len(more))
            print(
                f"| {model} | {policy} | {hits:.2f} | {gain:.3f} "
                f"| {gain / np.mean(gains['oracle']):.2f} | {more.mean():.3f} ± {error:.3f} |"
            )
    print("\nSpearman's rank correlation with the true Dice, over objects:\n")
    print("| model | clicks by | measure | after the box | 5 clicks | all | mean abs. difference |")
    print("|---" * 7 + "|")
    for model in models:
        for policy in MEASURED:
            for name in ("agreement", "expected_dice"):
                told = [
                    (r.clicks, float(getattr(r, name)), r.dsc)
                    for r in rows
                    if r.model == model and r.policy == policy and getattr(r, name) != ""
                ]
                parts = [[t[1:] for t in told if n in (None, t[0])] for n in (0, CLICKS, None)]
                ranks = " | ".join(f"{spearmanr(*zip(*p, strict=True))[0]:.2f}" for p in parts)
                gap = np.mean([abs(a - b) for a, b in parts[-1]])
                print(f"| {model} | {policy} | {name.replace('_', ' ')} | {ranks} | {gap:.3f} |")


def draw(rows: list[Row], models: list[str], path: Path) -> None:
    """Dice against clicks for each policy, and true against expected Dice."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(models), 8.5), layout="constrained")
    for column, model in enumerate(models, 1):
        curves = figure.add_subplot(2, len(models), column)
        for policy, colour in CURVES.items():
            curves.plot(_curve(rows, model, policy), "o-", label=policy, color=colour)
        curves.set(title=model, xlabel="clicks after the box", ylabel="mean Dice over objects")
        curves.legend(title="clicks placed by", frameon=False)
        scatter = figure.add_subplot(2, len(models), len(models) + column)
        told = [
            r for r in rows if r.model == model and r.policy == "oracle" and r.expected_dice != ""
        ]
        scatter.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        seen = scatter.scatter(
            [float(r.expected_dice) for r in told],
            [r.dsc for r in told],
            c=[r.clicks for r in told],
            s=12,
            cmap="viridis",
        )
        figure.colorbar(seen, ax=scatter, label="clicks after the box")
        scatter.set(xlabel="expected Dice, without a reference", ylabel="Dice", aspect="equal")
    figure.savefig(path, dpi=100)


def _gains(rows: list[Row], model: str, policy: str) -> np.ndarray:
    """(objects,) what five clicks added to the Dice of each, random runs averaged."""
    ends: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.model == model and _is(row, policy) and row.clicks in (0, CLICKS):
            ends[row.case, row.object].append(row.dsc if row.clicks else -row.dsc)
    return np.array([2 * np.mean(ends[key]) for key in sorted(ends)])


def _curve(rows: list[Row], model: str, policy: str) -> np.ndarray:
    """The mean Dice over objects after the box and each click."""
    scores: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        if row.model == model and _is(row, policy):
            scores[row.clicks].append(row.dsc)
    return np.array([np.mean(scores[n]) for n in range(CLICKS + 1)])


def _is(row: Row, policy: str) -> bool:
    """Whether a row is of a policy, all random runs counting as one."""
    return row.policy.split()[0] == policy


def _append(path: Path, rows: list[Row]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if not file.tell():
            writer.writeheader()
        writer.writerows(map(asdict, rows))


def _read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(item) for item in csv.DictReader(file)]


def _row(item: dict[str, str]) -> Row:
    numbers = ("agreement", "expected_dice", "hit")
    told = {name: float(item[name]) if item[name] else "" for name in numbers}
    return Row(
        item["case"],
        item["object"],
        item["model"],
        item["policy"],
        int(item["clicks"]),
        float(item["dsc"]),
        **told,  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
