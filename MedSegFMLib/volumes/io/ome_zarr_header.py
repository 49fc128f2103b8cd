"""The metadata of an OME-Zarr image, versions 0.4 and 0.5, parsed strictly.

Source: the specifications of OME-Zarr (NGFF) 0.4 and 0.5, sections on axes, multiscales and
coordinateTransformations, and RFC 4 on anatomical orientation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import VolumeError
from ..geometry import Matrix

_VERSIONS = ("0.4", "0.5")
# Lengths by the names of UDUNITS that the specification lists, in millimetres.
_UNITS_MM = {
    **{"angstrom": 1e-7, "foot": 304.8, "inch": 25.4, "micron": 1e-3, "mile": 1609344.0},
    **{"yard": 914.4, "meter": 1e3, "metre": 1e3},
    **{
        prefix + word: 1e3 * factor
        for prefix, factor in (
            *(("atto", 1e-18), ("femto", 1e-15), ("pico", 1e-12), ("nano", 1e-9)),
            *(("micro", 1e-6), ("milli", 1e-3), ("centi", 1e-2), ("deci", 1e-1)),
            *(("deca", 1e1), ("hecto", 1e2), ("kilo", 1e3), ("mega", 1e6)),
        )
        for word in ("meter", "metre")
    },
}
# The direction in RAS in which a coordinate grows, by the end of its anatomical orientation.
_TOWARDS = {"right": (0, 1), "left": (0, -1), "anterior": (1, 1), "posterior": (1, -1)}
_TOWARDS |= {"superior": (2, 1), "inferior": (2, -1)}
# As ITK places images without an orientation: patient left and posterior grow with x and y.
_PLAIN = {"x": (0, -1), "y": (1, -1), "z": (2, 1)}


@dataclass(frozen=True)
class Axis:
    """An axis of the arrays: its name and kind (space, channel, time or another)."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class Level:
    """An image of the pyramid.

    Attributes:
        array: the path of its array in the group.
        axes: of the array.
        scale, translation: of the coordinates, by the name of the axis of space.
    """

    array: str
    axes: Sequence[Axis]
    scale: Mapping[str, float]
    translation: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class OmeZarrHeader:
    """An image.

    Attributes:
        levels: from the largest to the smallest.
        units_mm: of each axis of space in millimetres, by its name; None if not stated.
        directions: the axis of RAS and the sign along which each axis of space grows.
        channels: the names of channels; empty if they have none.
        notes: clauses on what a user should know.
    """

    levels: Sequence[Level]
    units_mm: Mapping[str, float | None]
    directions: Mapping[str, tuple[int, int]]
    channels: Sequence[str]
    notes: Sequence[str]

    def matrix(self, level: Level, spacing_ijk_mm: Sequence[float] | None) -> Matrix:
        """The (4, 4) matrix from voxels to RAS; with a given spacing, placed at the origin."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for n, name in enumerate("xyz"):
            row, sign = self.directions[name]
            if spacing_ijk_mm is not None:
                matrix[row, n] = sign * spacing_ijk_mm[n]
                continue
            unit = self.units_mm[name] or 0.0
            matrix[row, n] = sign * level.scale[name] * unit
            matrix[row, 3] = sign * level.translation[name] * unit
        return matrix


def parse_ome_zarr(path: Path, attributes: Mapping[str, Any]) -> OmeZarrHeader:
    """Parse the attributes of a Zarr group.

    Raises:
        VolumeError: they are not those of an image, or of another version, or damaged.
    """
    try:
        return _parsed(path, attributes)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        if isinstance(error, VolumeError):
            raise
        raise _damaged(path, "multiscales") from error


def _parsed(path: Path, attributes: Mapping[str, Any]) -> OmeZarrHeader:
    block = attributes.get("ome", attributes)
    images = block.get("multiscales")
    if not images:
        raise VolumeError(
            f"{path} is Zarr without the metadata of one OME-Zarr image (multiscales); name the "
            "group of an image in it, such as its folder 0, or convert it."
        )
    image = images[0]
    version = str(block.get("version", image.get("version", _VERSIONS[0])))
    if version not in _VERSIONS:
        raise VolumeError(
            f"{path} is OME-Zarr {version[:20]!a}, and {' and '.join(_VERSIONS)} are read; convert "
            "it to one of them."
        )
    axes = [Axis(str(a["name"]).lower(), str(a.get("type", ""))) for a in image["axes"]]
    names = [axis.name for axis in axes]
    space = {a.name for a in axes if a.kind == "space"}
    if len(set(names)) < len(names) or space != {"x", "y", "z"}:
        raise VolumeError(
            f"{path} has the axes {', '.join(names)[:100]}, of which x, y and z alone have to be "
            "of the type space; convert it."
        )
    units = {str(a["name"]).lower(): a.get("unit") for a in image["axes"]}
    directions = _directions(path, image["axes"])
    notes = [] if len(images) == 1 else [f"has {len(images)} pyramids, of which the first is read"]
    if directions is None:
        notes.append("states no orientation in the patient; x, y and z are taken as those of DICOM")
    common = image.get("coordinateTransformations") or []
    return OmeZarrHeader(
        [_level(path, axes, item, common) for item in image["datasets"]],
        {name: _unit_mm(path, units[name]) for name in "xyz"},
        directions or _PLAIN,
        _channels(block),
        notes,
    )


def _unit_mm(path: Path, unit: object) -> float | None:
    if unit is None or str(unit) in ("", "pixel", "dimensionless"):
        return None
    if str(unit) not in _UNITS_MM:
        raise VolumeError(
            f"{path} has the unit {str(unit)[:20]!a}, which is no length that is known; correct it "
            "to millimeter or micrometer."
        )
    return _UNITS_MM[str(unit)]


def _level(path: Path, axes: Sequence[Axis], item: Mapping[str, Any], common: Any) -> Level:
    count = len(axes)
    scale, shift = _transformation(path, item["coordinateTransformations"], count)
    more_scale, more_shift = _transformation(path, common, count)
    at = {axis.name: n for n, axis in enumerate(axes) if axis.kind == "space"}
    scales = {name: scale[n] * more_scale[n] for name, n in at.items()}
    if not all(value > 0 for value in scales.values()):
        raise _damaged(path, "scale")
    shifts = {name: shift[n] * more_scale[n] + more_shift[n] for name, n in at.items()}
    return Level(str(item["path"]), axes, scales, shifts)


def _transformation(path: Path, steps: Any, count: int) -> tuple[list[float], list[float]]:
    """The scale and the translation behind it of a list of transformations."""
    scale, shift = [1.0] * count, [0.0] * count
    for step in steps:
        kind = step["type"]
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or kind not in step:
            raise VolumeError(
                f"{path} has a transformation {str(kind)[:20]!a}, and scales and translations with "
                "numbers are read; resample it elsewhere."
            )
        values = [float(value) for value in step[kind]]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise _damaged(path, str(kind))
        if kind == "scale":
            scale = [a * b for a, b in zip(scale, values, strict=True)]
            shift = [a * b for a, b in zip(shift, values, strict=True)]
        else:
            shift = [a + b for a, b in zip(shift, values, strict=True)]
    return scale, shift


def _directions(path: Path, axes: Sequence[Any]) -> dict[str, tuple[int, int]] | None:
    """The anatomical direction of each axis of space; None if none is stated."""
    stated = {str(a["name"]).lower(): a.get("orientation") for a in axes}
    values = {name: stated[name] for name in "xyz"}
    if not any(values.values()):
        return None
    texts = {
        name: str(v.get("value", "") if isinstance(v, Mapping) else v) for name, v in values.items()
    }
    ends = {name: _TOWARDS.get(text.rpartition("-to-")[2]) for name, text in texts.items()}
    found = {name: end for name, end in ends.items() if end is not None}
    if {row for row, _ in found.values()} != {0, 1, 2}:
        raise VolumeError(
            f"{path} has the orientations {', '.join(texts.values())[:100]!a}, and three "
            "anatomical ones, such as right-to-left, are read; correct them or leave them out."
        )
    return found


def _channels(block: Mapping[str, Any]) -> list[str]:
    items = (block.get("omero") or {}).get("channels") or []
    return [str(item.get("label", "")) for item in items]


def _damaged(path: Path, key: str) -> VolumeError:
    return VolumeError(f"{path} has metadata of OME-Zarr that are damaged ({key}); write it again.")
