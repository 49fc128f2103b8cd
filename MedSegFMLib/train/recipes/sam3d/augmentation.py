"""Variants of a volume, changed as SAM3D's published training changes its patches.

That training, nnU-Net's, changes every patch anew before its slices are encoded. Here each variant
is encoded once, and many patches are taken of it, so every variant has all changes: rotation by up
to 30 degrees within slices, scaling, a mirror image of rows and of columns, brightness, contrast,
gamma and noise, in nnU-Net's ranges. Patches reverse the order of slices themselves.
"""

from __future__ import annotations

from math import log, radians

import numpy as np
from numpy.typing import NDArray

from ....models.sam3d.patches import ZScores
from .volumes import ClassVolume

Floats = NDArray[np.float32]

_MOST_DEGREES = 30.0
# Limits of factors.
_SCALES = (0.7, 1.4)
_BRIGHTNESS = (0.75, 1.25)
_CONTRAST = (0.75, 1.25)
_GAMMA = (0.7, 1.5)
# The largest variance of the noise, in z-scores.
_MOST_VARIANCE = 0.1
# Rows and columns that are left out at the beginning, so that windows lie elsewhere: at most this
# part of a patch.
_MOST_LATER = 0.5


def augmented(volume: ClassVolume, patch: int, rng: np.random.Generator) -> ClassVolume:
    """A variant of a volume; all of its images are moved alike, and each gets its own contrast.

    Args:
        volume: the volume.
        patch: the side of a patch in pixels.
        rng: the random generator.
    """
    images = [
        scores.standardise(image)
        for image, scores in zip(volume.images_kji, volume.scores, strict=True)
    ]
    flips = tuple(axis for axis in (1, 2) if rng.random() < 0.5)
    kept = (slice(None), *(_later(n, patch, rng) for n in volume.classes_kji.shape[1:]))
    angle = radians(rng.uniform(-_MOST_DEGREES, _MOST_DEGREES))
    scale = _factor(_SCALES, rng)

    def moved(array: NDArray[np.generic], order: int) -> NDArray[np.generic]:
        return np.flip(_turned(array, angle, scale, order)[kept], flips)

    changed = [_recoloured(moved(image, 1).astype(np.float32), rng) for image in images]
    classes = np.ascontiguousarray(moved(volume.classes_kji, 0), np.uint8)
    return ClassVolume(tuple(changed), tuple(ZScores(0.0, 1.0) for _ in changed), classes)


def _turned(
    array_kji: NDArray[np.generic], angle: float, scale: float, order: int
) -> NDArray[np.generic]:
    """The slices turned about their middles and enlarged; lowest values come in from outside."""
    from scipy.ndimage import affine_transform

    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    middle = (np.array(array_kji.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle
    turned = np.empty_like(array_kji)
    for number, one in enumerate(array_kji):
        affine_transform(
            one, matrix, offset, output=turned[number], order=order, cval=array_kji.min()
        )
    return turned


def _recoloured(image: Floats, rng: np.random.Generator) -> Floats:
    """z-scores with other brightness, contrast and gamma, and with noise."""
    image = image * np.float32(rng.uniform(*_BRIGHTNESS))
    low, high, mean = float(image.min()), float(image.max()), float(image.mean())
    image = ((image - mean) * _factor(_CONTRAST, rng) + mean).clip(low, high)
    if high > low:
        # Gamma keeps mean and deviation, as in nnU-Net.
        deviation = float(image.std())
        image = ((image - low) / (high - low)) ** _factor(_GAMMA, rng)
        image = (image - image.mean()) / max(float(image.std()), 1e-6) * deviation + mean
    noise = rng.normal(0, np.sqrt(rng.uniform(0, _MOST_VARIANCE)), image.shape)
    return np.asarray(image + noise, np.float32)


def _factor(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """A factor between limits; below and above 1 are equally likely."""
    low, high = limits
    chosen = (low, 1.0) if rng.random() < 0.5 else (1.0, high)
    return float(np.exp(rng.uniform(log(chosen[0]), log(chosen[1]))))


def _later(size: int, patch: int, rng: np.random.Generator) -> slice:
    """The rows or columns that are kept; a patch always fits if it did."""
    most = min(int(_MOST_LATER * patch), size - patch)
    return slice(int(rng.integers(0, most + 1)) if most > 0 else 0, None)
