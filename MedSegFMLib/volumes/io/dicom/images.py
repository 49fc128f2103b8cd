"""The images of a DICOM file: one, or the frames of a multi-frame file with what each states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import VolumeError
from ...geometry import LARGEST_POSITION_MM
from ..header_values import check_spacing
from .header import Header
from .labels import content_of, labels_of
from .mosaics import is_mosaic, mosaic_of

Vector = NDArray[np.float64]

# Coarser than this no writer rounds positions; whole millimetres are meant as they are.
_COARSEST_MM = 0.1
# Unit vectors at right angles, as far as the digits of headers go.
_AXES_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Image:
    """One 2D image with its place in the patient.

    Attributes:
        header: the header of its file.
        index: its number in the file, from 0.
        count: the number of images in the file.
        shape: rows and columns.
        position_lps: (3,) the centre of its first voxel in LPS millimetres; None if not stated.
        rounding_mm: (3,) the last digit of each coordinate of the position.
        axes_lps: (2, 3) unit vectors along rows and columns, that is, of growing column and row
            index; None if not stated.
        spacing_mm: the distance between rows and between columns; None if not stated.
        step_mm: the stated distance between slices; None if not stated. It decides nothing but the
            depth of a single slice.
        thickness_mm: the stated thickness; None if not stated.
        slope, intercept: value = stored value * slope + intercept.
        states_values: whether the header states slope or intercept.
        unit: the unit of its values, as the header states it; may be empty.
        stack: the identifier of its stack in a multi-frame file.
        groups: the functional groups of a frame, its own and the shared ones.
        tile: row and column at which it begins in a Siemens mosaic; None for a whole image.
    """

    header: Header
    index: int
    count: int
    shape: tuple[int, int]
    position_lps: Vector | None
    rounding_mm: Vector
    axes_lps: Vector | None
    spacing_mm: tuple[float, float] | None
    step_mm: float | None
    thickness_mm: float | None
    slope: float
    intercept: float
    states_values: bool
    unit: str
    stack: str
    groups: tuple[Header, ...] = field(repr=False)
    tile: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The name of the file, and the number of the frame from 1 if it has several."""
        frame = "" if self.count == 1 else f", frame {self.index + 1}"
        return self.header.path.name + frame

    @property
    def full_name(self) -> str:
        """As `name`, with the path of the file."""
        return str(self.header.path.parent / self.name)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Values that may distinguish the image from others at its place, by name."""
        return labels_of(self.header, self.groups)

    @cached_property
    def order(self) -> tuple[float, str, int]:
        """The sort key of images that nothing else distinguishes."""
        number = self.header.decimals("InstanceNumber")
        return (number[0] if number else 0.0, str(self.header.path), self.index)


def images_of(header: Header) -> list[Image]:
    """The images of a file, in its order.

    Raises:
        VolumeError: the header is damaged or states the frames incompletely.
    """
    shape = stored_shape(header)
    frames = header.decimals("NumberOfFrames")
    count = int(frames[0]) if frames else 1
    if count < 1:
        raise header.fault("NumberOfFrames", "has to be at least 1")
    groups = header.items("PerFrameFunctionalGroupsSequence")
    if not groups:
        if count > 1:
            return []
        image = _image(header, 0, count, shape, [])
        return _tiles(image) if is_mosaic(header) else [image]
    if len(groups) != count:
        raise VolumeError(
            f"{header.path} states {count} frames and describes {len(groups)}; it was cut short or "
            "is damaged, so copy it again."
        )
    shared = header.item("SharedFunctionalGroupsSequence")
    both = [[group, shared] if shared else [group] for group in groups]
    return [_image(header, n, count, shape, scopes) for n, scopes in enumerate(both)]


def stored_shape(header: Header) -> tuple[int, int]:
    """Rows and columns of the stored images of a file.

    Raises:
        VolumeError: they are missing or not above 0.
    """
    return (_positive(header, "Rows"), _positive(header, "Columns"))


def _tiles(image: Image) -> list[Image]:
    """The slices of a mosaic; itself if their places are unknown, which reading it reports."""
    try:
        mosaic = mosaic_of(image.header)
    except VolumeError:
        return [image]
    common: dict[str, Any] = {"shape": mosaic.shape, "step_mm": mosaic.step_mm}
    return [
        replace(image, index=n, position_lps=mosaic.positions_lps[n], tile=start, **common)
        for n, start in enumerate(mosaic.starts)
    ]


def _image(
    header: Header,
    index: int,
    count: int,
    shape: tuple[int, int],
    groups: list[Header],
) -> Image:
    """An image; `groups` are the functional groups of a frame, its own before the shared ones."""
    if not groups:
        place = axes = measures = values = header
    else:
        place = _group(groups, "PlanePositionSequence", "PlanePositionVolumeSequence", header)
        axes = _group(groups, "PlaneOrientationSequence", "PlaneOrientationVolumeSequence", header)
        measures = _group(groups, "PixelMeasuresSequence", "", header)
        values = _group(groups, "PixelValueTransformationSequence", "", header)
        if not any(group.item("PixelValueTransformationSequence") for group in groups):
            # Some writers state the values of all frames once, outside of the groups.
            values = header
    position, rounding = _position(place)
    spacing = measures.decimals("PixelSpacing", 2)
    if spacing is not None:
        check_spacing(header.path, spacing)
        if min(spacing) < 0:
            raise header.fault("PixelSpacing", "has to be above 0")
    step = abs(measures.decimal("SpacingBetweenSlices") or 0.0)
    thickness = abs(measures.decimal("SliceThickness") or 0.0)
    slope, intercept = values.decimal("RescaleSlope"), values.decimal("RescaleIntercept")
    if slope == 0:
        raise header.fault("RescaleSlope", "is 0")
    return Image(
        header=header,
        index=index,
        count=count,
        shape=shape,
        position_lps=position,
        rounding_mm=rounding,
        axes_lps=_axes(axes),
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        step_mm=step or None,
        thickness_mm=thickness or None,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        states_values=not (slope is None and intercept is None),
        unit=header.text("Units") or values.text("RescaleType"),
        stack=_stack(groups),
        groups=tuple(groups),
    )


def _group(groups: Sequence[Header], name: str, other_name: str, header: Header) -> Header:
    """The item of a functional group, of the frame or shared; an empty one if there is none."""
    for scope in groups:
        for keyword in filter(None, (name, other_name)):
            item = scope.item(keyword)
            if item is not None:
                return item
    return Header(header.path, type(groups[0].dataset)(), header.syntax, None)


def _position(place: Header) -> tuple[Vector | None, Vector]:
    keyword = "ImagePositionPatient"
    position = place.decimals(keyword, 3)
    if position is None:
        # Of ultrasound, in binary and in the frame of reference of the volume itself.
        position, texts = place.binary("ImagePositionVolume", 3), None
    else:
        texts = place.decimal_texts(keyword)
    if position is not None and max(map(abs, position)) > LARGEST_POSITION_MM:
        raise place.fault(keyword, f"is beyond {LARGEST_POSITION_MM:g} mm")
    rounding = [_last_digit(text) for text in texts] if texts else [0.0] * 3
    return (None if position is None else np.array(position), np.array(rounding))


def _last_digit(text: bytes) -> float:
    """The value of a number's last digit, at most `_COARSEST_MM`; trailing zeros count as none."""
    mantissa, _, exponent = text.lower().partition(b"e")
    decimals = len(mantissa.partition(b".")[2]) - int(exponent or 0)
    return float(min(_COARSEST_MM, 10.0 ** -min(decimals, 30)))


def _axes(axes: Header) -> Vector | None:
    values = axes.decimals("ImageOrientationPatient", 6)
    keyword = "ImageOrientationPatient"
    if values is None:
        keyword = "ImageOrientationVolume"
        values = axes.binary(keyword, 6)
    if values is None:
        return None
    vectors = np.reshape(values, (2, 3))
    if np.abs(vectors @ vectors.T - np.eye(2)).max() > _AXES_TOLERANCE:
        raise axes.fault(keyword, "has to be two unit vectors at right angles")
    return np.asarray(vectors, dtype=np.float64)


def _stack(groups: Sequence[Header]) -> str:
    content = content_of(groups)
    return "" if content is None else content.text("StackID")


def _positive(header: Header, keyword: str) -> int:
    value: Any = header.integer(keyword)
    if value is None or value < 1:
        raise header.fault(keyword, "has to be a number above 0")
    return int(value)
