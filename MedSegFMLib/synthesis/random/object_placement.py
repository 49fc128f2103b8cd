"""Position, size and similarity of objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .canvas import Canvas
from .shapes import local, random_turn

# A barely visible difference in brightness from a neighbour, in units of a style's range.
_FAINT = (0.03, 0.2)


def placed(
    canvas: Canvas, radii: NDArray[np.float64], anywhere: bool = False, most_rad: float = np.pi
) -> Tensor:
    """Positions local to an object near the centre, or anywhere."""
    rng = canvas.frame.generators.host
    reach = 0.8 if anywhere else 0.2
    center = rng.uniform(-reach, reach, 3)
    return local(canvas.position, center, radii, random_turn(rng, most_rad), canvas.frame)


def dominant_radii(canvas: Canvas) -> NDArray[np.float64]:
    """Radii of an object that spans about 30 to 90 % of the extent."""
    rng = canvas.frame.generators.host
    return np.asarray(rng.uniform(0.35, 1.0) * rng.uniform(0.7, 1.1, 3))


def small_radii(canvas: Canvas) -> NDArray[np.float64]:
    """Radii of an object that spans 10 to 50 % of the extent."""
    rng = canvas.frame.generators.host
    return np.asarray(np.exp(rng.uniform(np.log(0.1), np.log(0.5))) * rng.uniform(0.6, 1.3, 3))


def maybe_near(canvas: Canvas) -> tuple[int | None, float]:
    """In two of five cases another tissue to resemble, and the difference from it."""
    rng = canvas.frame.generators.host
    if len(canvas.tissues) < 2 or rng.random() < 0.6:
        return None, 0.0
    return int(rng.integers(1, len(canvas.tissues))), float(rng.uniform(*_FAINT))
