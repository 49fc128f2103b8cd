"""The header of an NRRD file, parsed strictly (teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ...errors import VolumeError
from .header_values import (
    NO_POSITION,
    NO_SPACING,
    Payload,
    axis_sizes,
    check_position,
    check_spacing,
    damaged,
    file_beside,
    integers,
    numbers,
    shortened,
    truncated,
)
from .length_units import check_millimetres

_TYPES = {
    1: "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t",
    2: "short, short int, signed short, signed short int, int16, int16_t, ushort, unsigned short, "
    "unsigned short int, uint16, uint16_t",
    4: "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float",
    8: "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t, ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t, double",
}
_VALUE_BYTES = {name: size for size, names in _TYPES.items() for name in names.split(", ")}
_ENCODINGS = {"raw": "raw", "gzip": "gzip-one", "gz": "gzip-one"}
_ENCODINGS |= dict.fromkeys(("txt", "text", "ascii"), "text")
# Other spellings of a field's name.
_SYNONYMS = {
    "datafile": "data file",
    "lineskip": "line skip",
    "byteskip": "byte skip",
    "centerings": "centers",
    "axismins": "axis mins",
    "axismaxs": "axis maxs",
    "oldmin": "old min",
    "oldmax": "old max",
    "sampleunits": "sample units",
    "block size": "blocksize",
}
_ANATOMICAL = ("right-anterior-superior", "left-anterior-superior", "left-posterior-superior")
_SPACES = {
    name + time: dimension
    for names, time, dimension in (
        ((*_ANATOMICAL, "scanner-xyz", "3d-right-handed", "3d-left-handed"), "", 3),
        ((*_ANATOMICAL, "scanner-xyz", "3d-right-handed", "3d-left-handed"), "-time", 4),
        (("ras", "las", "lps"), "", 3),
        (("ras", "las", "lps"), "t", 4),
    )
    for name in names
}
_FIELDS = {
    *("content", "type", "dimension", "sizes", "encoding", "endian", "data file", "line skip"),
    *("byte skip", "space", "space dimension", "space directions", "space origin", "space units"),
    *("spacings", "thicknesses", "kinds", "centers", "labels", "units", "axis mins", "axis maxs"),
    *("min", "max", "old min", "old max", "sample units", "number", "measurement frame"),
}
_KEY_VALUE = re.compile(r"[^:]+:=")
_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)
_MOST_AXES, _LONGEST_LINE, _MOST_LINES = 7, 1 << 20, 100_000


def read_nrrd_header(path: Path) -> Payload:
    """Check the header of a .nrrd or .nhdr file and return where its voxels are.

    Raises:
        VolumeError: it is damaged, or stored in a way that is not supported.
        GeometryError: the grid is not usable.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        fields, _ = _fields(path, stream)
        data_start = stream.tell()
    missing = [key for key in ("type", "dimension", "sizes", "encoding") if key not in fields]
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    value_bytes = _VALUE_BYTES.get(fields["type"].lower())
    if value_bytes is None:
        raise damaged(path, f"type is {shortened(fields['type'])}")
    (axes,) = integers(path, "dimension", fields["dimension"], 1)
    if not 1 <= axes <= _MOST_AXES:
        raise damaged(path, f"dimension is {axes}")
    sizes = axis_sizes(path, "sizes", integers(path, "sizes", fields["sizes"], axes))
    _check_grid(path, fields, axes)
    encoding = _ENCODINGS.get(fields["encoding"].lower())
    if encoding is None:
        raise VolumeError(
            f"{path} has the encoding {shortened(fields['encoding'])}; raw, gzip and text are "
            "supported, so convert it."
        )
    if encoding != "text" and value_bytes > 1 and fields.get("endian") not in ("little", "big"):
        raise damaged(path, f"endian is {shortened(fields.get('endian', ''))}")
    payload = _payload(path, fields, data_start, encoding, math.prod(sizes), value_bytes)
    return replace(payload, notes=_notes(fields))


def _notes(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Clauses on a grid that is not stated, or not in the patient."""
    spacings = fields.get("spacings", "nan").split()
    has_spacing = "space directions" in fields or not any(
        math.isnan(float(value)) for value in spacings[:3]
    )
    space = fields.get("space", "").lower()
    is_patient = space.startswith((*_ANATOMICAL, "ras", "las", "lps"))
    return (*(() if has_spacing else (NO_SPACING,)), *(() if is_patient else (NO_POSITION,)))


def read_nrrd_keys(path: Path) -> dict[str, str]:
    """The key/value pairs of a header, which programs add to the format's own fields.

    Raises:
        VolumeError: the header is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        _, keys = _fields(path, stream)
    return {key: re.sub(r"\\[n\\]", _unescaped, value) for key, value in keys.items()}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[0] == "\\n" else "\\"


def _fields(path: Path, stream: BinaryIO) -> tuple[dict[str, str], dict[str, str]]:
    """The fields, and the key/value pairs, by name.

    Stops after the empty line before the voxels, or at the file's end.
    """
    first = stream.readline(64).rstrip(b"\r\n")
    if not re.fullmatch(rb"NRRD000[1-5]", first):
        raise VolumeError(f"{path} does not begin with an NRRD header; check its format.")
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = stream.readline(_LONGEST_LINE + 1)
        if not line.endswith(b"\n") and (line or "data file" not in fields):
            raise (
                damaged(path, "a line is too long")
                if len(line) > _LONGEST_LINE
                else truncated(path)
            )
        text = line.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        if any(c in text for c in "\0\r"):
            raise damaged(path, f"it has the line {shortened(text)}")
        if not text:
            return fields, keys
        if text.startswith("#"):
            continue
        if _KEY_VALUE.match(text):
            key, _, value = text.partition(":=")
            if key in keys:
                raise damaged(path, f"the key {shortened(key)} occurs twice")
            keys[key] = value
            continue
        name, separator, value = text.partition(": ")
        name = _SYNONYMS.get(name.lower(), name.lower())
        if not separator or name not in _FIELDS:
            raise damaged(path, f"it has the line {shortened(text)}")
        if name in fields:
            raise damaged(path, f"the field {name} occurs twice")
        fields[name] = value.strip()
    raise damaged(path, f"it has more than {_MOST_LINES} lines")


def _check_grid(path: Path, fields: Mapping[str, str], axes: int) -> None:
    per_axis = ("spacings", "thicknesses", "axis mins", "axis maxs")
    for key in per_axis:
        if key in fields:
            values = numbers(path, key, fields[key], axes)
            if key == "spacings":
                check_spacing(path, [v for v in values if not math.isnan(v)])
    for key in ("units", "space units"):
        check_millimetres(path, key, fields.get(key, ""))
    for key in ("kinds", "centers"):
        if key in fields and len(fields[key].split()) != axes:
            raise damaged(path, f"{key} is {shortened(fields[key])}")
    if "space" in fields and "space dimension" in fields:
        raise damaged(path, "it has both space and space dimension")
    dimension = _space_dimension(path, fields)
    if dimension is None:
        if {"space directions", "space origin", "measurement frame"} & set(fields):
            raise damaged(path, "it lacks space")
        return
    if "spacings" in fields and "space directions" in fields:
        raise damaged(path, "it has both spacings and space directions")
    if "space origin" in fields:
        (origin,) = _vectors(path, fields, "space origin", 1, dimension)
        check_position(path, "space origin", origin)
    if "space directions" in fields:
        directions = _vectors(path, fields, "space directions", axes, dimension)
        for direction in filter(None, directions):
            check_position(path, "space directions", direction)
            check_spacing(path, [math.hypot(*direction)])
    if "measurement frame" in fields:
        _vectors(path, fields, "measurement frame", dimension, dimension)


def _space_dimension(path: Path, fields: Mapping[str, str]) -> int | None:
    if "space" in fields:
        dimension = _SPACES.get(fields["space"].lower())
        if dimension is None:
            raise damaged(path, f"space is {shortened(fields['space'])}")
        return dimension
    if "space dimension" not in fields:
        return None
    (dimension,) = integers(path, "space dimension", fields["space dimension"], 1)
    if not 1 <= dimension <= _MOST_AXES:
        raise damaged(path, f"space dimension is {dimension}")
    return dimension


def _vectors(
    path: Path, fields: Mapping[str, str], key: str, count: int, dimension: int
) -> list[list[float]]:
    """The vectors of a field; an empty list for "none"."""
    texts = _VECTOR.findall(fields[key])
    if len(texts) != count or _VECTOR.sub("", fields[key]).strip():
        raise damaged(path, f"{key} is {shortened(fields[key])}")
    return [
        []
        if text.lower() == "none"
        else numbers(path, key, text[1:-1].replace(",", " "), dimension)
        for text in texts
    ]


def _payload(
    path: Path,
    fields: Mapping[str, str],
    data_start: int,
    encoding: str,
    values: int,
    value_bytes: int,
) -> Payload:
    (lines,) = integers(path, "line skip", fields.get("line skip", "0"), 1)
    (skipped,) = integers(path, "byte skip", fields.get("byte skip", "0"), 1)
    if lines != 0 or (skipped != 0 and encoding != "raw") or skipped < -1:
        raise VolumeError(
            f"{path} has the line skip {lines} and byte skip {skipped}, which are not supported "
            f"for {fields['encoding']} voxels; convert it."
        )
    name = fields.get("data file")
    file, start = path, data_start
    if name is not None:
        file, start = file_beside(path, "data file", name.removeprefix("./")), 0
        if not file.exists():
            raise VolumeError(f"The voxels of {path} should be in {file}, which is missing.")
    if skipped == -1:
        start = max(start, file.stat().st_size - values * value_bytes)
    return Payload(path, file, start + max(skipped, 0), encoding, values, value_bytes)
