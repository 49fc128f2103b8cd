"""Which way of making one answer of three planes is best: Dice on labelled cases.

Run from the checkout:
PYTHONPATH=. python Testing/benchmarks/fusion.py CASES.json [--model ensam]
Each object gets a tight box, then clicks in the middle of the largest error of the model's own
answer. After each, its three planes are fused in each way. A model that sees in 3D gives planes by
being asked with its axes turned.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from MedSegFMLib import Box, Point, Session, create
from MedSegFMLib.consistency import PlaneViews
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.evaluate.protocol import derive_seed
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.planar.fusion import FUSIONS
from MedSegFMLib.models.planar.stacks import stack_planes
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.simulate import box_around, next_click

STEPS = (0, 1, 3, 5)


def fused(prediction: Prediction) -> dict[str, Prediction]:
    """The answer itself, each plane, and the planes fused in each way."""
    planes = stack_planes(prediction.geometry)
    logits = {
        name: np.log(likely.clip(1e-6, 1 - 1e-6) / (1 - likely.clip(1e-6, 1 - 1e-6)))
        for name, likely in prediction.planes.items()
    }
    ways = {name: fuse(logits, planes) for name, fuse in FUSIONS.items()}
    own = {f"{name} alone": array for name, array in logits.items()}
    return {
        "the model's own answer": prediction,
        **{name: prediction.with_logits(array) for name, array in (own | ways).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--model", default="ensam")
    arguments = parser.parse_args()
    model = create(arguments.model, "cpu")
    scores: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in read_cases(arguments.cases):
        loaded = load_case(case)
        geometry = loaded.image.geometry
        for value, name in case.objects:
            reference = loaded.label.array_kji == value
            session = Session(model, loaded.image)
            views = PlaneViews(session)
            start, stop = box_around(reference, 0.0, 0)
            session.add(Box.from_ijk(geometry, start[::-1], stop[::-1]))
            for step in range(max(STEPS) + 1):
                mask = session.predict().mask.array_kji > 0
                if step in STEPS:
                    (prediction,) = views.predict_all().values()
                    for way, answer in fused(prediction).items():
                        scores[way][step].append(dice(reference, answer.mask.array_kji))
                click = next_click(reference, mask, derive_seed(0, case.name, name, step + 1))
                if click is not None and "point" in model.card.prompts:
                    session.add(Point.from_ijk(geometry, click[0][::-1], click[1]))
    print(f"{arguments.model}, mean Dice over {len(scores['mean'][0])} objects\n")
    print("| answer | box | " + " | ".join(f"{n} clicks" for n in STEPS[1:]) + " |")
    print("|---" * (1 + len(STEPS)) + "|")
    for way, by_step in scores.items():
        print(f"| {way} | " + " | ".join(f"{np.mean(by_step[n]):.3f}" for n in STEPS) + " |")


if __name__ == "__main__":
    main()
