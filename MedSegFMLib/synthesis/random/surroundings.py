"""Structures around objects that belong to no object."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .object_placement import maybe_near, placed, small_radii
from .shapes import Level, random_shape, superquadric

# The relative frequency of tissues in irregular regions.
_TISSUES = {"soft": 0.5, "fat": 0.2, "fluid": 0.12, "bone": 0.08, "vessel": 0.1}


def surroundings(canvas: Canvas) -> None:
    """A few kinds of tissue in irregular regions; in half of the scenes inside a body in air."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    count = int(rng.integers(1, 6))
    scale = float(np.exp(rng.uniform(np.log(2), np.log(12))))
    first = len(canvas.tissues)
    for role in rng.choice(list(_TISSUES), count, p=list(_TISSUES.values())):
        canvas.add(str(role), *maybe_near(canvas))
    canvas.tissue = frame.fields(scale, count).argmax(0) + first
    if rng.random() < 0.5:
        _threads(canvas)
    if rng.random() < 0.5:
        p = placed(canvas, rng.uniform(0.8, 1.6, 3))
        body = superquadric(p, frame)
        # A layer of fat under the skin around the existing tissue.
        canvas.paint(float(rng.uniform(0.03, 0.2)) - body, canvas.add("fat"))
        canvas.paint(-body, canvas.add("air"))


def _threads(canvas: Canvas) -> None:
    """Sheets at the zeros of one field and threads at those of two: folds, septa, small vessels."""
    rng = canvas.frame.generators.host
    one, other = canvas.frame.fields(rng.uniform(4, 12), 2).square()
    if rng.random() < 0.5:
        sheets = float(rng.uniform(0.05, 0.3)) ** 2 - one
        canvas.paint(sheets, canvas.add("soft", *maybe_near(canvas)))
    if rng.random() < 0.6:
        threads = float(rng.uniform(0.15, 0.4)) ** 2 - one - other
        canvas.paint(threads, canvas.add(str(rng.choice(("vessel", "soft", "bone")))))


def capsule(canvas: Canvas, level: Level) -> None:
    """In two of five cases a thin layer around an object that is painted next."""
    rng = canvas.frame.generators.host
    if rng.random() < 0.4:
        role = str(rng.choice(("fat", "soft", "air", "fluid", "vessel")))
        canvas.paint(level + float(rng.uniform(0.04, 0.2)), canvas.add(role))


def neighbours(canvas: Canvas, count: int, cover: bool = False) -> None:
    """Structures that are not objects; with `cover` they replace voxels of objects."""
    rng = canvas.frame.generators.host
    for _ in range(count):
        p = placed(canvas, small_radii(canvas) * (0.5 if cover else 1.3), True)
        role = str(rng.choice(("soft", "soft", "bone", "vessel", "fluid", "air")))
        tissue = canvas.add(role, *maybe_near(canvas))
        canvas.paint(random_shape(p, canvas.frame), tissue, 0 if cover else None)
