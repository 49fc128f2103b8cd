"""The header of a MetaImage file (MetaIO's "key = value" lines), parsed strictly.

MetaIO copies texts into arrays of fixed length, crashes on `NDims = 73`, treats ":" as "=", and
reads many files for "%" in `ElementDataFile`. Only what it reads as meant passes here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ...errors import VolumeError
from .header_values import (
    NO_SPACING,
    Payload,
    axis_sizes,
    check_position,
    check_spacing,
    damaged,
    file_beside,
    integers,
    not_one_volume,
    numbers,
    shortened,
    truncated,
)
from .length_units import check_millimetres

_VALUE_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG": 4,
    "MET_ULONG": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
_DATA_FILE = "ElementDataFile"
# Fields with one number for each axis; the matrices have the square of that.
_SIZES = ("ElementSpacing", "ElementSize")
_POSITIONS = ("Offset", "Position", "Origin", "CenterOfRotation", "ImagePosition")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
_WHOLE = ("NDims", "CompressedDataSize", "HeaderSize", "ElementNumberOfChannels", "ID", "ParentID")
_YES_OR_NO = ("BinaryData", "BinaryDataByteOrderMSB", "CompressedData", "ElementByteOrderMSB")
# Fields of a fixed number of numbers; MetaIO reads on in the next line if some are missing.
_COUNTED = {
    **dict.fromkeys(("ElementMin", "ElementMax"), 1),
    **dict.fromkeys(("ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"), 1),
    **dict.fromkeys(("Color", "SequenceID"), 4),
}
_KNOWN = {
    name.lower(): name
    for name in (
        *(_SIZES + _POSITIONS + _MATRICES + _WHOLE + _YES_OR_NO),
        *_COUNTED,
        *("ObjectType", "DimSize", "ElementType", _DATA_FILE),
    )
}
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_LOCAL = ("LOCAL", "Local", "local")
# Slope and intercept of values, and what they are if there are none.
_SCALING = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
_MOST_AXES, _MOST_CHANNELS = 7, 1024
_LONGEST_KEY, _LONGEST_TEXT, _LONGEST_LINE, _MOST_LINES = 200, 250, 4000, 100_000
# Texts longer than `_LONGEST_TEXT` are safe in fields that MetaIO itself does not know.
_TEXTS = (
    *("Comment", "Name", "ObjectType", "ObjectSubType", "TransformType", "Modality"),
    *("AcquisitionDate", "AnatomicalOrientation", "DistanceUnits", "ElementType"),
)


def read_metaimage_header(path: Path) -> Payload:
    """Check the header of a .mha or .mhd file and return where its voxels are.

    Raises:
        VolumeError: it is damaged, or the file is not one 3D volume.
        GeometryError: the grid is not usable.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        fields = _fields(path, stream)
        data_start = stream.tell()
    if fields.get("ObjectType", "Image") != "Image":
        raise damaged(path, f"ObjectType is {shortened(fields['ObjectType'])}")
    missing = [key for key in ("NDims", "DimSize", "ElementType") if key not in fields]
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    (axes,) = integers(path, "NDims", fields["NDims"], 1)
    if not 1 <= axes <= _MOST_AXES:
        raise damaged(path, f"NDims is {axes}")
    shape = axis_sizes(path, "DimSize", integers(path, "DimSize", fields["DimSize"], axes))
    _check_grid(path, fields, axes)
    channels = _whole(path, fields, "ElementNumberOfChannels", 1)
    if not 1 <= channels <= _MOST_CHANNELS:
        raise damaged(path, f"ElementNumberOfChannels is {channels}")
    if fields["ElementType"] not in _VALUE_BYTES:
        raise damaged(path, f"ElementType is {shortened(fields['ElementType'])}")
    value_bytes = _VALUE_BYTES[fields["ElementType"]]
    if len(shape) < 3 or any(n > 1 for n in shape[4:]):
        raise not_one_volume(str(path), shape)
    payload = _payload(path, fields, data_start, math.prod(shape) * channels, value_bytes)
    has_spacing = any(key in fields for key in _SIZES)
    return payload if has_spacing else replace(payload, notes=(NO_SPACING,))


def _fields(path: Path, stream: BinaryIO) -> dict[str, str]:
    fields: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = stream.readline(_LONGEST_LINE + 1)
        if not line.endswith(b"\n") and len(line) <= _LONGEST_LINE and b"=" not in line:
            raise truncated(path)
        text = line.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        key, separator, value = (part.strip() for part in text.partition("="))
        if not separator or not key or any(c in text for c in "\0\r") or ":" in key:
            raise damaged(path, f"it has the line {shortened(text)}")
        if len(line) > _LONGEST_LINE or len(key) > _LONGEST_KEY:
            raise damaged(path, f"{shortened(key)} is too long")
        if key in fields or _KNOWN.get(key.lower(), key) != key:
            raise damaged(path, f"the key {shortened(key)} occurs twice or in other letters")
        if key in _TEXTS and len(value.encode("utf-8", "surrogateescape")) > _LONGEST_TEXT:
            raise damaged(path, f"{key} is too long")
        fields[key] = value
        if key == _DATA_FILE:
            return fields
    raise damaged(path, f"it has more than {_MOST_LINES} lines")


def _check_grid(path: Path, fields: dict[str, str], axes: int) -> None:
    check_millimetres(path, "DistanceUnits", fields.get("DistanceUnits", ""))
    for key in _SIZES:
        if key in fields:
            check_spacing(path, numbers(path, key, fields[key], axes)[:3])
    for key in (*_POSITIONS, *_MATRICES):
        if key in fields:
            count = axes * axes if key in _MATRICES else axes
            check_position(path, key, numbers(path, key, fields[key], count))
    for key, count in _COUNTED.items():
        if key in fields:
            numbers(path, key, fields[key], count)
    for key in _WHOLE:
        _whole(path, fields, key, 0)
    scaling = [float(fields.get(key, none)) for key, none in _SCALING.items()]
    if scaling != list(_SCALING.values()):
        raise VolumeError(
            f"{path} states values of {scaling[0]:g} times the stored ones plus {scaling[1]:g}, "
            "which is not applied in reading; store the values themselves."
        )
    orientation = fields.get("AnatomicalOrientation", "?" * axes)
    is_code = orientation.replace("?", "A").isalpha() and orientation.isascii()
    if not is_code or len(orientation) < axes:
        raise damaged(path, f"AnatomicalOrientation is {shortened(orientation)}")


def _payload(
    path: Path, fields: dict[str, str], data_start: int, values: int, value_bytes: int
) -> Payload:
    name = fields[_DATA_FILE]
    is_local = name in _LOCAL
    file = path if is_local else file_beside(path, _DATA_FILE, name)
    if not is_local and not file.exists():
        raise VolumeError(f"The voxels of {path} should be in {file}, which is missing.")
    start = data_start if is_local else 0
    header_size = _whole(path, fields, "HeaderSize", 0)
    is_text = not _truth(path, fields, "BinaryData", True)
    is_compressed = _truth(path, fields, "CompressedData", False)
    for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"):
        _truth(path, fields, key, False)
    if header_size and (is_text or is_compressed or is_local or header_size < -1):
        raise damaged(path, f"HeaderSize is {header_size}")
    if is_text and is_compressed:
        raise damaged(path, "its voxels should be both text and compressed")
    if is_text:
        return Payload(path, file, start, "text", values, value_bytes)
    stored = file.stat().st_size - start
    if is_compressed:
        # If the stated size is too small, ITK returns uninitialised voxels, so it must be exact.
        # Without it, MetaIO reads from the beginning of the file, which is right for another file.
        if is_local and "CompressedDataSize" not in fields:
            raise damaged(path, "it lacks CompressedDataSize")
        stated = _whole(path, fields, "CompressedDataSize", stored)
        if stated != stored:
            raise VolumeError(
                f"{path} states {stated} bytes of compressed voxels and {file.name} holds "
                f"{stored}; the file was cut short or its header is wrong."
            )
        return Payload(path, file, start, "zlib", values, value_bytes)
    if header_size > 0:
        start = header_size
    elif header_size == -1:
        start = stored - values * value_bytes
    if start < 0:
        raise truncated(path)
    return Payload(path, file, start, "raw", values, value_bytes)


def _whole(path: Path, fields: dict[str, str], key: str, default: int) -> int:
    return integers(path, key, fields[key], 1)[0] if key in fields else default


def _truth(path: Path, fields: dict[str, str], key: str, default: bool) -> bool:
    if key not in fields:
        return default
    if fields[key].lower() not in _TRUTHS:
        raise damaged(path, f"{key} is {shortened(fields[key])}")
    return _TRUTHS[fields[key].lower()]
