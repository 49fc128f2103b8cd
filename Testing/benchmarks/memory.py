"""How much memory a model takes for a region, over a box and five clicks, their answers kept.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/memory.py [--models ensam,randomwalk]
or, with any weights of that layout, [--models sam --weights FILE] and [--option NAME=VALUE].
A model that knows classes segments all of them in the whole volume instead.
Each row is a process of its own; peak growth from before the model is loaded. What the models'
cards estimate is printed beside it, and the processor time of the prompts.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from MedSegFMLib import Session

SIDES = (48, 96, 160, 256)


def growth_mb(model: str, side: int, options: dict[str, str]) -> tuple[float, float, float]:
    """Peak growth of this process, and the card's estimate, in MB; processor time in s."""
    from MedSegFMLib import Geometry, Session, Volume, create

    rng = np.random.default_rng(0)
    geometry = Geometry.from_spacing((side, side, side))
    volume = Volume(rng.integers(0, 1000, geometry.shape_kji).astype(np.int16), geometry)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session = Session(create(model, device="cpu", **options), volume)
    begun = time.process_time()
    classes = session.segmenter.classes
    if classes:
        segment_classes(session, classes)
    else:
        box_and_clicks(session, side)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    estimate = session.segmenter.card.memory_bytes(side**3) / 1e6
    return (after - before) * 1024 / 1e6, estimate, time.process_time() - begun


def box_and_clicks(session: Session, side: int) -> None:
    """Segment one object after a box and five clicks."""
    from MedSegFMLib import Box, Point

    geometry = session.volume.geometry
    margin = side // 6
    session.add(Box.from_ijk(geometry, [margin] * 3, [side - margin] * 3))
    for click in range(5):
        mask = session.predict().mask.array_kji > 0
        positive = click % 2 == 1
        voxels = np.argwhere(mask != positive)
        if len(voxels):
            session.add(Point.from_ijk(geometry, voxels[len(voxels) // 2][::-1].tolist(), positive))
    session.predict()


def segment_classes(session: Session, classes: Sequence[str]) -> None:
    """Segment every class."""
    from MedSegFMLib import Text

    for name in classes:
        session.add(Text(name), session.add_object(name))
    session.predict_all()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="ensam,randomwalk")
    parser.add_argument("--weights")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--sides", default=",".join(map(str, SIDES)))
    arguments = parser.parse_args()
    options = dict(text.split("=", 1) for text in arguments.option)
    if arguments.weights:
        options["weights"] = arguments.weights
    print("| model | side | grows by, MB | card says, MB | processor, s |\n|---|---|---|---|---|")
    for model in arguments.models.split(","):
        for side in map(int, arguments.sides.split(",")):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                grown, said, seconds = pool.submit(growth_mb, model, side, options).result()
            print(f"| {model} | {side} | {grown:.0f} | {said:.0f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
