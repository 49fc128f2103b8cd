"""Made objects that fill little of their box, and clicks on made objects that stand out clearly.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/made_shapes.py [--model MODEL]

Each object is measured as it is now, and without `sparse_object` and `clear_object`. Clicks after
the first prompt are in the middle of the largest error. The tables are those of Docs/results.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from MedSegFMLib import Box, Geometry, Point, Segmenter, Session, Volume, create
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.randomwalk import prior_solver, solver
from MedSegFMLib.simulate import next_click
from MedSegFMLib.volumes.masks import bounding_box
from MedSegFMLib.volumes.region import Region

Mask = NDArray[np.bool_]
_SHAPE = (96, 112, 112)


def along(points: NDArray[np.float64], radius: float) -> Mask:
    """The voxels within a radius of a dense line of points (n, 3)."""
    free = np.ones(_SHAPE, dtype=bool)
    free[tuple(points.round().astype(int).T)] = False
    return np.asarray(ndimage.distance_transform_edt(free) <= radius)


def balls(centres: Sequence[Sequence[float]], radius: float) -> Mask:
    """Balls of one radius."""
    grid = np.indices(_SHAPE).transpose(1, 2, 3, 0)
    parts = [((grid - centre) ** 2).sum(axis=-1) <= radius**2 for centre in centres]
    return np.asarray(np.any(parts, axis=0))


def sparse_shapes() -> dict[str, Mask]:
    """Objects that fill 1 to 22 % of their box."""
    k, j, i = np.indices(_SHAPE)
    t = np.linspace(0, 1, 2000)
    stem = np.stack([15 + 60 * t, 55 + 25 * np.sin(3 * t), 25 + 50 * t], axis=1)
    twig = np.stack([45 + 10 * t, 80 + 20 * t, 50 + 35 * t], axis=1)
    vessel = np.vstack([stem, twig])
    turns = np.stack([15 + 66 * t, 56 + 26 * np.sin(9 * t), 56 + 26 * np.cos(9 * t)], axis=1)
    centre = np.sqrt((k - 48) ** 2 + (j - 56) ** 2 + (i - 56) ** 2)
    surface = 48 + 12 * np.sin(j / 18) + 6 * np.cos(i / 14)
    ring = np.sqrt((j - 80) ** 2 + (i - 56) ** 2)
    scattered = np.random.default_rng(3).uniform(14, np.array(_SHAPE) - 14, (6, 3))
    return {
        "thin vessel": along(vessel, 1.5),
        "vessel": along(vessel, 2.2),
        "thick vessel": along(vessel, 3.2),
        "helix": along(turns, 2.5),
        "six balls": balls(scattered.tolist(), 5),
        "two balls": balls([(48, 56, 20), (48, 56, 92)], 10),
        "shell": (centre >= 22) & (centre <= 25),
        "sheet": (abs(k - surface) <= 1.5) & (abs(j - 56) < 34) & (abs(i - 56) < 34),
        "arch": (abs(ring - 36) <= 3) & (abs(k - 48) <= 4) & (j <= 80),
    }


def clicked_shapes() -> dict[str, Mask]:
    """Compact objects for a click without a box."""
    sizes = {f"ball, radius {radius:g}": radius for radius in (1.5, 2, 3, 4, 6, 10)}
    made = {name: balls([(48, 56, 56)], radius) for name, radius in sizes.items()}
    k, j, i = np.indices(_SHAPE)
    egg = ((k - 48) / 5) ** 2 + ((j - 56) / 8) ** 2 + ((i - 56) / 12) ** 2 <= 1
    bean = balls([(48, 50, 50), (48, 56, 56), (48, 58, 64)], 6)
    block = (abs(k - 48) <= 4) & (abs(j - 56) <= 6) & (abs(i - 56) <= 9)
    return {**made, "egg": egg, "bean": bean, "block": block}


def scene(mask: Mask, kind: str) -> Volume:
    """An image of an object: bright, dark, faint, or among blobs that are nearly as bright."""
    rng = np.random.default_rng(0)
    values = {"bright": (220.0, 40.0), "dark": (40.0, 220.0), "faint": (100.0, 60.0)}
    if kind == "among blobs":
        blobs = ndimage.gaussian_filter(rng.normal(0, 1, mask.shape), 6)
        blobs /= blobs.std()
        image = np.where(mask, 220.0, 60 + 25 * blobs)
        far = ~ndimage.binary_dilation(mask, iterations=4)
        image[far & (blobs > 1.8)] = 200
    else:
        image = np.where(mask, *values[kind])
    image = ndimage.gaussian_filter(image, 0.7) + rng.normal(0, 15, mask.shape)
    return Volume(image.astype(np.int16), Geometry.from_spacing(mask.shape, (1, 1, 1)))


def scores(model: Segmenter, mask: Mask, kind: str, clicks: int, boxed: bool) -> list[float]:
    """Dice after the box, if there is one, and after each click."""
    volume = scene(mask, kind)
    session = Session(model, volume)
    found, dices = np.zeros_like(mask), []
    if boxed:
        sides = bounding_box(mask)
        assert sides is not None, "no shape is empty"
        box = Region.from_slices(sides)
        session.add(Box.from_ijk(volume.geometry, box.start_kji[::-1], box.stop_kji[::-1]))
        found = session.labelmap().array_kji > 0
        dices.append(dice(mask, found))
    for _ in range(clicks):
        click = next_click(mask, found, 0)
        if click is not None:
            session.add(Point.from_ijk(volume.geometry, click[0][::-1], click[1]))
            found = session.labelmap().array_kji > 0
        dices.append(dice(mask, found))
    return dices


def table(
    model: Segmenter, shapes: Mapping[str, Mask], kinds: Sequence[str], clicks: int, boxed: bool
) -> None:
    """Print the Dice of the shapes, before and now, and the means of each kind."""
    print("| image | object | before | now |\n|---|---|---|---|")
    for kind in kinds:
        rows = []
        for name, mask in shapes.items():
            with (
                patch.object(solver, "sparse_object", lambda *_: None),
                patch.object(prior_solver, "clear_object", lambda *_: None),
            ):
                before = scores(model, mask, kind, clicks, boxed)
            rows.append((before, scores(model, mask, kind, clicks, boxed)))
            print(
                f"| {kind} | {name} | {_words(rows[-1][0])} | {_words(rows[-1][1])} |", flush=True
            )
        means = np.mean(rows, axis=0)
        print(f"| {kind} | **mean** | {_words(means[0])} | {_words(means[1])} |", flush=True)


def _words(dices: Sequence[float]) -> str:
    """The first and the last, if there are several."""
    shown = dices if len(dices) == 1 else (dices[0], dices[-1])
    return " → ".join(f"{value:.2f}" for value in shown)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ensam")
    model = create(parser.parse_args().model, "cpu")
    kinds = ("bright", "dark", "faint", "among blobs")
    table(model, sparse_shapes(), kinds, clicks=5, boxed=True)
    table(model, clicked_shapes(), kinds, clicks=1, boxed=False)


if __name__ == "__main__":
    main()
