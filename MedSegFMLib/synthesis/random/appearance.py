"""Brightness and texture of tissues for different devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .canvas import Canvas, Tissue
from .shapes import to_device


@dataclass(frozen=True)
class Style:
    """A kind of device.

    Attributes:
        name: its name.
        means: the lowest and highest mean by role; a window shows 0 to 1.
        texture: the largest amplitude of texture inside a tissue.
    """

    name: str
    means: dict[str, tuple[float, float]]
    texture: float

    def mean(self, role: str, rng: np.random.Generator) -> float:
        """A random mean of the role; roles the device does not distinguish count as soft tissue."""
        return float(rng.uniform(*self.means.get(role, self.means["soft"])))


# In CT 0 is water and 1 is 400 Hounsfield units.
CT = Style(
    "ct",
    {
        "air": (-2.5, -2.2),
        "fat": (-0.3, -0.15),
        "soft": (0.02, 0.45),
        "bone": (0.5, 2.5),
        "fluid": (-0.03, 0.08),
        "vessel": (0.05, 0.9),
        "lesion": (0.02, 0.4),
    },
    0.05,
)
MR = Style(
    "mr",
    {
        "air": (0.0, 0.03),
        "fat": (0.1, 1.3),
        "soft": (0.1, 0.9),
        "bone": (0.0, 0.2),
        "fluid": (0.0, 1.2),
        "vessel": (0.0, 1.2),
        "lesion": (0.05, 1.1),
        "hot": (0.7, 1.3),
        "blood": (0.6, 1.2),
        "muscle": (0.1, 0.45),
    },
    0.2,
)
PET = Style(
    "pet",
    {
        "air": (0.0, 0.01),
        "fat": (0.01, 0.06),
        "soft": (0.03, 0.2),
        "bone": (0.02, 0.12),
        "fluid": (0.02, 0.15),
        "vessel": (0.03, 0.25),
        "lesion": (0.3, 1.2),
        "hot": (0.3, 1.5),
    },
    0.3,
)
ULTRASOUND = Style(
    "ultrasound",
    {
        "air": (0.0, 0.03),
        "fat": (0.3, 0.8),
        "soft": (0.12, 0.7),
        "bone": (0.6, 1.2),
        "fluid": (0.01, 0.1),
        "vessel": (0.01, 0.15),
    },
    0.1,
)
CONFOCAL = Style(
    "confocal",
    {
        "air": (0.0, 0.05),
        "soft": (0.1, 0.8),
        "wall": (0.5, 1.2),
        "interior": (0.02, 0.3),
        "organelle": (0.0, 0.5),
    },
    0.1,
)
ELECTRON = Style(
    "electron",
    {
        "air": (0.8, 1.0),
        "soft": (0.3, 0.8),
        "wall": (0.05, 0.3),
        "interior": (0.5, 0.9),
        "organelle": (0.2, 0.6),
    },
    0.2,
)


def random_style(kind: str, rng: np.random.Generator) -> Style:
    """A random device for a kind of scene."""
    if kind == "uptake":
        return (PET, PET, PET, MR)[rng.integers(4)]
    if kind == "cells":
        return (CONFOCAL, CONFOCAL, ELECTRON)[rng.integers(3)]
    if kind == "neurites":
        return ELECTRON
    if kind in ("head", "cord", "heart"):
        return (MR, MR, MR, CT)[rng.integers(4)]
    return (CT, CT, CT, MR, MR, MR, MR, ULTRASOUND)[rng.integers(8)]


def render(canvas: Canvas, style: Style) -> Tensor:
    """(K, J, I) brightness of a canvas before acquisition."""
    frame = canvas.frame
    rng = frame.generators.host
    table = to_device(np.array(_tissue_parameters(canvas.tissues, style, rng)), frame)
    mean, rim, width, *weights = table.T[:, canvas.tissue]
    image = mean + rim * torch.exp(-canvas.depth / width)
    longest = max(frame.shape_kji)
    # Two fields of each scale, so that neighbours with different weights share no pattern.
    for cells in (rng.uniform(3, 8), rng.uniform(8, longest / 1.5) if longest > 12 else 8):
        for field in frame.fields(cells, 2):
            image = torch.addcmul(image, weights.pop(0), field)
    return image


def _tissue_parameters(
    tissues: list[Tissue], style: Style, rng: np.random.Generator
) -> list[list[float]]:
    """Mean, rim, rim width and the weights of four fields for each tissue."""
    parameters: list[list[float]] = []
    overall = style.texture * rng.uniform(0.1, 1)
    for tissue in tissues:
        mean = style.mean(tissue.role, rng)
        if tissue.near is not None:
            mean = parameters[tissue.near][0] + tissue.gap * float(rng.choice((-1, 1)))
        amplitude = overall * rng.uniform(0, 1.5) * (0.1 if tissue.role == "air" else 1)
        # Dark tissue has little texture, which is proportional to the signal except in CT.
        amplitude *= 1 if style is CT else min(1, 0.2 + abs(mean))
        weights = amplitude * rng.normal(0, 0.7, 4)
        rim = tissue.rim * rng.uniform(-0.5, 1) * (0.3 if style is CT else 1)
        parameters.append([mean, rim, float(rng.uniform(0.08, 0.4)), *weights])
    return parameters
