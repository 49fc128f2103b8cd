"""Volumes that tests make, in every orientation."""

from __future__ import annotations

import numpy as np

from MedSegFMLib import Box, Geometry, Volume

_CODES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def directions_of(codes: str) -> np.ndarray:
    """(3, 3): unit vectors of i, j, k as RAS columns, for codes such as "LPS"."""
    matrix = np.zeros((3, 3))
    for axis, code in enumerate(codes):
        world, sign = _CODES[code]
        matrix[world, axis] = sign
    return matrix


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """(3, 3): a turn about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([x_deg, y_deg, z_deg])):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


DIRECTIONS = {
    "RAS": directions_of("RAS"),
    "LAS": directions_of("LAS"),
    "LPS": directions_of("LPS"),
    "oblique": rotation(14, -9, 21) @ directions_of("LPS"),
    "oblique left-handed": rotation(-8, 31, 5) @ directions_of("PSR"),
}


def make_blob(geometry: Geometry, seed: int = 0, noise: float = 5) -> tuple[Volume, np.ndarray]:
    """A ball of value 100 in 0 with noise, a third of the narrowest side wide, and its mask."""
    k, j, i = np.indices(geometry.shape_kji)
    centre = [(n - 1) / 2 for n in geometry.shape_kji]
    radius = [n / 3 for n in geometry.shape_kji]
    scaled = [(v - c) / r for v, c, r in zip((k, j, i), centre, radius, strict=True)]
    mask = sum(v**2 for v in scaled) <= 1
    grain = np.random.default_rng(seed).normal(0, noise, geometry.shape_kji)
    return Volume((100.0 * mask + grain).astype(np.float32), geometry), mask


def ball(geometry: Geometry) -> tuple[Volume, np.ndarray, Box]:
    """A bright ball of 12 voxels' radius, its mask, and a box around it."""
    centre = [n / 2 - 0.5 for n in geometry.shape_kji]
    squares = [(v - c) ** 2 for v, c in zip(np.indices(geometry.shape_kji), centre, strict=True)]
    mask = sum(squares) <= 12**2
    inside = np.argwhere(mask)[:, ::-1]
    grain = np.random.default_rng(0).normal(0, 3, geometry.shape_kji)
    volume = Volume((20 + 80 * mask + grain).astype(np.float32), geometry)
    return volume, mask, Box.from_ijk(geometry, inside.min(axis=0), inside.max(axis=0) + 1)


def random_volume(geometry: Geometry, dtype: str = "int16") -> Volume:
    """Noise on a grid, the same each time."""
    voxels = np.random.default_rng(1).integers(-900, 900, geometry.shape_kji)
    return Volume(voxels.astype(dtype), geometry)


def sheared_grid(
    shape_kji: tuple[int, int, int],
    directions: np.ndarray,
    spacing: tuple[float, float, float] = (0.9, 0.9, 3.0),
    tilt: float = 0.9,
) -> Geometry:
    """A grid whose slices are shifted along j by `tilt` millimetres each, as by a tilted gantry."""
    matrix = Geometry.from_spacing(shape_kji, spacing, directions, (5, -6, 70)).ijk_to_ras.copy()
    matrix[:3, 2] += tilt * directions[:, 1]
    return Geometry(shape_kji, matrix)


def ball_mask(geometry: Geometry, radius_mm: float) -> np.ndarray:
    """A ball of millimetres, not of voxels, in the middle of a grid."""
    places = geometry.ras_from_ijk(np.argwhere(np.ones(geometry.shape_kji))[:, ::-1])
    centre = geometry.ras_from_ijk((np.array(geometry.shape_kji[::-1]) - 1) / 2)
    near = np.linalg.norm(places - centre, axis=1) < radius_mm
    return near.reshape(geometry.shape_kji)


def sheared_ball(
    directions: np.ndarray, tilt: float = 0.9, shape_kji: tuple[int, int, int] = (14, 26, 24)
) -> tuple[Volume, np.ndarray, Box]:
    """A bright ball in a sheared volume, its mask, and a box around it in its voxels."""
    geometry = sheared_grid(shape_kji, directions, tilt=tilt)
    mask = ball_mask(geometry, 7.0)
    noise = np.random.default_rng(0).normal(0, 5, shape_kji)
    volume = Volume(np.rint(mask * 100 + noise).astype(np.int16), geometry)
    inside = np.argwhere(mask)[:, ::-1]
    return volume, mask, Box.from_ijk(geometry, inside.min(axis=0), inside.max(axis=0) + 1)
