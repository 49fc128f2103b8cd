"""Shapes of objects as scalar fields.

Each function takes local positions p, (3, K, J, I), in which the object fills roughly the unit
ball, and returns its level, (K, J, I): above 0 inside, in units of the object's own radius.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..fields import Frame

Level: TypeAlias = Tensor


def to_device(values: NDArray[np.float64] | Sequence[float], frame: Frame) -> Tensor:
    """Copy numbers to the device of a frame, as float32."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(
        frame.device, non_blocking=True
    )


def local(
    position: Tensor,
    center: NDArray[np.float64],
    radii: NDArray[np.float64],
    turn: NDArray[np.float64],
    frame: Frame,
) -> Tensor:
    """Positions relative to an object with this centre and these radii along its rotated axes."""
    matrix = turn / radii[:, None]
    offset = to_device(-(matrix @ center)[:, None], frame)
    flat = torch.addmm(offset, to_device(matrix, frame), position.reshape(3, -1))
    return flat.reshape(position.shape)


def random_turn(rng: np.random.Generator, most_rad: float = np.pi) -> NDArray[np.float64]:
    """A rotation matrix about a random axis by up to `most_rad`."""
    x, y, z = (axis := rng.normal(size=3)) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = rng.uniform(0, most_rad)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def radius(p: Tensor) -> Tensor:
    """The distance from the origin."""
    return (p * p).sum(0).sqrt()


def ball(p: Tensor, frame: Frame) -> Level:
    """The unit ball, which placement turns into an ellipsoid."""
    return 1 - radius(p)


def superquadric(p: Tensor, frame: Frame) -> Level:
    """A shape between an octahedron, a ball and a box."""
    power = float(np.exp(frame.generators.host.uniform(np.log(1.2), np.log(7))))
    return 1 - p.abs().pow(power).sum(0).pow(1 / power)


def rounded_box(p: Tensor, frame: Frame) -> Level:
    """A round shape with slight corners: the outline of a head."""
    power = float(frame.generators.host.uniform(1.9, 2.6))
    return 1 - p.abs().pow(power).sum(0).pow(1 / power)


def blob(p: Tensor, frame: Frame) -> Level:
    """A ball with bumps and dents at two scales."""
    rng = frame.generators.host
    coarse, fine = rng.uniform(0.1, 0.4), rng.uniform(0, 0.12)
    bumps = coarse * frame.fields(rng.uniform(2, 5))[0] + fine * frame.fields(rng.uniform(6, 14))[0]
    return ball(p, frame) + bumps


def lobulated(p: Tensor, frame: Frame) -> Level:
    """Merged balls: a prostate's nodules, a grape, a lobed gland."""
    rng = frame.generators.host
    count = int(rng.integers(2, 8))
    centers = rng.normal(size=(count, 3)) * rng.uniform(0.3, 0.5)
    return balls(p, centers, rng.uniform(0.35, 0.65, count), frame)


def balls(
    p: Tensor, centers: NDArray[np.float64], radii: NDArray[np.float64], frame: Frame
) -> Level:
    """The union of balls with centers (n, 3) and radii (n,)."""
    return (
        (to_device(radii[:, None], frame) - distances(p, centers, frame))
        .amax(0)
        .reshape(p.shape[1:])
    )


def distances(p: Tensor, centers: NDArray[np.float64], frame: Frame) -> Tensor:
    """(n, K * J * I) distances from every centre, (n, 3), to every position."""
    flat = p.reshape(3, -1)
    squared = torch.addmm((flat * flat).sum(0)[None], to_device(-2 * centers, frame), flat)
    squared += to_device((centers**2).sum(1)[:, None], frame)
    return squared.clamp_(min=0).sqrt_()


def tube(p: Tensor, frame: Frame) -> Level:
    """A winding tube along the first axis, through and beyond the unit ball."""
    rng = frame.generators.host
    along = p[0]
    bend, pace, phase = rng.uniform(0, 0.35, 2), rng.uniform(0.5, 2.5, 3), rng.uniform(0, 6, 3)
    across = p[1] - float(bend[0]) * torch.sin(float(pace[0]) * along + float(phase[0]))
    up = p[2] - float(bend[1]) * torch.sin(float(pace[1]) * along + float(phase[1]))
    width = 0.25 + 0.08 * torch.sin(float(pace[2]) * along + float(phase[2]))
    level = width - (across * across + up * up).sqrt()
    return level if rng.random() < 0.5 else torch.minimum(level, 1 - along.abs())


def segments(
    p: Tensor, starts: NDArray[np.float64], ends: NDArray[np.float64], frame: Frame
) -> Tensor:
    """(n, K * J * I) distances from each line segment, starts and ends (n, 3), to all positions."""
    length = np.linalg.norm(ends - starts, axis=1)[:, None] + 1e-6
    way = (ends - starts) / length
    flat = p.reshape(3, -1)
    along = torch.addmm(
        to_device(-(way * starts).sum(1)[:, None], frame), to_device(way, frame), flat
    )
    squared = distances(p, starts, frame).square_()
    nearest = along.clamp(min=0).minimum(to_device(length, frame))
    return squared.add_(nearest * (nearest - 2 * along)).clamp_(min=0).sqrt_()


def tree(p: Tensor, frame: Frame) -> Level:
    """A branching vessel of decreasing width."""
    rng = frame.generators.host
    starts: list[NDArray[np.float64]] = []
    ends: list[NDArray[np.float64]] = []
    widths: list[float] = []
    tips = [
        (np.array([-1.0, *rng.normal(0, 0.3, 2)]), np.array([1.0, 0, 0]), rng.uniform(0.08, 0.2))
    ]
    while tips and len(starts) < 12:
        start, way, width = tips.pop(0)
        end = start + way * rng.uniform(0.35, 0.7)
        starts.append(start)
        ends.append(end)
        widths.append(width)
        for _ in range(int(rng.integers(1, 4))):
            branch = way + rng.normal(0, 0.55, 3)
            tips.append((end, branch / np.linalg.norm(branch), width * rng.uniform(0.65, 0.95)))
    gap = segments(p, np.array(starts), np.array(ends), frame)
    return (to_device(np.array(widths)[:, None], frame) - gap).amax(0).reshape(p.shape[1:])


def atrium(p: Tensor, frame: Frame) -> Level:
    """A sac with a few vessel stumps."""
    rng = frame.generators.host
    count = int(rng.integers(2, 6))
    ends = rng.normal(size=(count, 3))
    ends *= rng.uniform(0.9, 1.4, (count, 1)) / np.linalg.norm(ends, axis=1, keepdims=True)
    gap = segments(p, np.zeros((count, 3)), ends, frame).amin(0).reshape(p.shape[1:])
    bag = 0.7 - radius(p) + 0.12 * frame.fields(4)[0]
    return torch.maximum(bag, float(rng.uniform(0.12, 0.25)) - gap)


def shell(p: Tensor, frame: Frame) -> Level:
    """A hollow blob, sometimes open on one side."""
    rng = frame.generators.host
    level = _thickness(rng) - (0.75 + 0.15 * frame.fields(4)[0] - radius(p)).abs()
    return torch.minimum(level, p[0] + 0.3) if rng.random() < 0.3 else level


def plate(p: Tensor, frame: Frame) -> Level:
    """A thin bent sheet."""
    rng = frame.generators.host
    bend = p[0] - float(rng.uniform(-0.8, 0.8)) * p[1] ** 2 - 0.1 * frame.fields(4)[0]
    return torch.minimum(_thickness(rng) - bend.abs(), 1 - radius(p))


def ring(p: Tensor, frame: Frame) -> Level:
    """A torus, closed or open to an arch: a cartilage, a jaw, a bowel loop."""
    rng = frame.generators.host
    across = (p[1] ** 2 + p[2] ** 2).sqrt() - 0.75
    level = _thickness(rng) * 1.5 - (across**2 + p[0] ** 2).sqrt()
    return (
        torch.minimum(level, p[1] + float(rng.uniform(-0.5, 0.6))) if rng.random() < 0.6 else level
    )


def paired(p: Tensor, frame: Frame) -> Level:
    """Two similar parts with a gap between them: the left and right of a structure."""
    rng = frame.generators.host
    gap = float(rng.uniform(0.45, 0.75))
    half = torch.stack([p[0], p[1], p[2].abs() - gap])
    width = float(rng.uniform(0.4, 0.95)) * (1 - gap)
    return blob(half / width, frame) * width


def _thickness(rng: np.random.Generator) -> float:
    """Half the thickness of a thin structure, in units of the object's radius."""
    return float(np.exp(rng.uniform(np.log(0.04), np.log(0.22))))


def lesions(p: Tensor, frame: Frame) -> Level:
    """Many small blobs scattered over the unit ball, together one object."""
    rng = frame.generators.host
    count = int(rng.integers(5, 40))
    centers = rng.uniform(-1, 1, (count, 3))
    radii = np.exp(rng.normal(np.log(0.1), 0.4, count)).clip(0.04, 0.3)
    return balls(p, centers, radii, frame) + 0.03 * frame.fields(12)[0]


def crescent(p: Tensor, frame: Frame) -> Level:
    """A ball with a bite of another ball: a right ventricle, a spleen, a meniscus."""
    rng = frame.generators.host
    bite = np.array([[rng.uniform(0.5, 0.9), 0, 0]])
    gap = distances(p, bite, frame)[0].reshape(p.shape[1:])
    return torch.minimum(1 - radius(p), gap - float(rng.uniform(0.6, 0.95)))


def butterfly(p: Tensor, frame: Frame) -> Level:
    """Two mirrored pairs of horns joined by a bridge, constant along the first axis."""
    rng = frame.generators.host
    flat = torch.stack([torch.zeros_like(p[0]), p[1], p[2].abs()])
    inner, outer = rng.uniform(0.25, 0.4), rng.uniform(0.4, 0.75)
    middle = [0, 0, inner]
    starts = np.array([[0, 0, 0], middle, middle])
    ends = np.array([middle, [0, -0.85, outer], [0, 0.6, outer]])
    gap = segments(flat, starts, ends, frame)
    widths = rng.uniform(0.08, 0.2, 3)
    return (to_device(widths[:, None], frame) - gap).amax(0).reshape(p.shape[1:])


# The relative frequency of each shape.
SHAPES: dict[Callable[[Tensor, Frame], Level], float] = {
    blob: 4,
    ball: 1.5,
    superquadric: 1.5,
    lobulated: 2,
    tube: 1,
    tree: 1,
    atrium: 1.5,
    shell: 0.7,
    plate: 0.8,
    ring: 0.6,
    paired: 0.6,
    lesions: 0.7,
    crescent: 1.2,
}
# Shapes that fill 1 to 30 % of their box.
SPARSE = (tube, tree, shell, plate, ring, paired, lesions)
COMPACT = (blob, ball, superquadric, lobulated, atrium, crescent)


def random_shape(p: Tensor, frame: Frame) -> Level:
    """The level of a random shape of any kind."""
    chances = np.array(list(SHAPES.values()))
    which = frame.generators.host.choice(len(chances), p=chances / chances.sum())
    return list(SHAPES)[which](p, frame)


def sparse_shape(p: Tensor, frame: Frame) -> Level:
    """The level of a random thread, sheet, hollow shape, pair or scatter."""
    return SPARSE[frame.generators.host.integers(len(SPARSE))](p, frame)


def compact_shape(p: Tensor, frame: Frame) -> Level:
    """The level of a random shape other than a thread, sheet or scatter."""
    return COMPACT[frame.generators.host.integers(len(COMPACT))](p, frame)
