"""A generated CT-like abdomen: several organs, noise, oblique and anisotropic voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..volumes.geometry import Geometry
from ..volumes.volume import Volume


@dataclass(frozen=True)
class Organ:
    """A deformed ellipsoid in the body's own millimetre frame (x right, y anterior, z superior).

    Later organs of a list cover earlier ones.

    Attributes:
        name: the organ's name.
        center_mm: its centre.
        radii_mm: its radii.
        hu: its mean attenuation in Hounsfield units.
        hu_spread: the amplitude of its texture in Hounsfield units.
        tilt_deg: its rotation about the y axis.
    """

    name: str
    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    hu: float
    hu_spread: float = 8.0
    tilt_deg: float = 0.0


ORGANS = (
    Organ("body fat", (0, 0, 0), (150, 105, 130), -95, 12),
    Organ("muscle", (0, 0, 0), (135, 90, 128), 45, 10),
    Organ("abdominal cavity", (0, 12, 0), (118, 70, 120), -70, 20),
    Organ("liver", (58, 18, 20), (58, 48, 52), 112, 6, 20),
    Organ("spleen", (-82, -18, 28), (24, 32, 38), 124, 6, -15),
    Organ("kidney R", (52, -38, -32), (22, 20, 40), 168, 14, 8),
    Organ("kidney L", (-54, -38, -22), (22, 20, 42), 168, 14, -8),
    Organ("aorta", (-8, -30, 0), (11, 11, 140), 190, 4),
    Organ("vertebra", (0, -58, 0), (22, 18, 140), 320, 60),
    Organ("lesion", (72, 22, 30), (13, 11, 10), 62, 5),
)


@dataclass(frozen=True)
class Phantom:
    """A generated abdomen.

    Attributes:
        image: int16 Hounsfield units.
        labels: uint8, 1 and up in the order of ORGANS, 0 is air.
    """

    image: Volume
    labels: Volume

    def label(self, organ_name: str) -> int:
        """The label of an organ."""
        return 1 + [organ.name for organ in ORGANS].index(organ_name)


def abdomen_geometry(spacing_ijk_mm: tuple[float, float, float] = (2.2, 2.2, 4.5)) -> Geometry:
    """An oblique grid (12 degrees about x, 7 about z) over 320 x 230 x 250 mm of the body."""
    shape_ijk = np.ceil(np.array((320, 230, 250)) / spacing_ijk_mm).astype(int)
    tilt, turn = np.deg2rad([12, 7])
    about_x = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    about_z = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    directions = np.array(about_z) @ np.array(about_x) @ np.diag([-1, -1, 1])
    centred = Geometry.from_spacing(shape_ijk[::-1].tolist(), spacing_ijk_mm, directions)
    middle = centred.ras_from_ijk((shape_ijk - 1) / 2)
    return Geometry.from_spacing(
        shape_ijk[::-1].tolist(), spacing_ijk_mm, directions, (-middle).tolist()
    )


def make_abdomen(seed: int = 0, geometry: Geometry | None = None) -> Phantom:
    """Generate the phantom on a grid (`abdomen_geometry` by default), reproducibly for a seed."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    geometry = geometry or abdomen_geometry()
    spacing = np.array(geometry.spacing_kji_mm)

    def smooth_noise(scale_mm: float) -> NDArray[np.float32]:
        noise = rng.standard_normal(geometry.shape_kji, dtype=np.float32)
        smooth = gaussian_filter(noise, scale_mm / spacing)
        return np.asarray(smooth / smooth.std(), dtype=np.float32)

    k, j, i = np.indices(geometry.shape_kji, dtype=np.float32)
    matrix = geometry.ijk_to_ras.astype(np.float32)
    position = [
        matrix[a, 0] * i + matrix[a, 1] * j + matrix[a, 2] * k + matrix[a, 3] for a in range(3)
    ]
    # Deformed by about a centimetre, so that no organ is an ellipsoid.
    x, y, z = (axis + 9 * smooth_noise(22) for axis in position)
    labels = np.zeros(geometry.shape_kji, dtype=np.uint8)
    image = np.full(geometry.shape_kji, -1000, dtype=np.float32)
    for label, organ in enumerate(ORGANS, start=1):
        inside = _ellipsoid(organ, x, y, z)
        labels[inside] = label
        image[inside] = organ.hu + organ.hu_spread * smooth_noise(5)[inside]
    # The scanner's blur mixes neighbouring tissues; its noise is nearly white.
    blurred = gaussian_filter(image, 1.2 / spacing)
    blurred += 14 * rng.standard_normal(geometry.shape_kji, dtype=np.float32)
    return Phantom(Volume(np.round(blurred).astype(np.int16), geometry), Volume(labels, geometry))


def _ellipsoid(
    organ: Organ, x: NDArray[np.float32], y: NDArray[np.float32], z: NDArray[np.float32]
) -> NDArray[np.bool_]:
    cos, sin = np.cos(np.deg2rad(organ.tilt_deg)), np.sin(np.deg2rad(organ.tilt_deg))
    dx, dy, dz = (v - c for v, c in zip((x, y, z), organ.center_mm, strict=True))
    along_x, along_z = cos * dx + sin * dz, cos * dz - sin * dx
    a, b, c = organ.radii_mm
    return np.asarray((along_x / a) ** 2 + (dy / b) ** 2 + (along_z / c) ** 2 <= 1)
