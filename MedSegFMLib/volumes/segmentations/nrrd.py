"""Segmentations in .seg.nrrd files, as 3D Slicer reads and writes them.

Segments share a layer unless they overlap; several layers are a list axis before i, j and k. Names,
colours, extents and terminology are key/value pairs of the header, named in Slicer's documentation
of segmentations ("Segmentation file format (.seg.nrrd)").
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import VolumeError
from ..geometry import Geometry
from ..io.header_values import damaged
from ..io.nrrd_header import read_nrrd_keys
from ..volume import Array, Volume
from .meanings import Rgb, meaning_of_entry
from .segmentation import Segment, Segmentation, layers_of

LEDGER_KEY = "MedSegFM.Ledger"
# A line of a header may have 1 MiB.
_PIECE = 500_000
_LPS = np.diag([-1.0, -1.0, 1.0])
_MOST_SEGMENTS = 65535
_STATUS = "Segmentation.Status:completed"
# Fast, and labels are nearly as small as with more.
_COMPRESSION = 4


def write_seg_nrrd(segmentation: Segmentation, path: Path) -> None:
    """Write a file; an incomplete one raises OSError."""
    segmentation = segmentation.with_usual_colors()
    layers = layers_of(segmentation.segments) or [[]]
    arrays = [Segmentation(segmentation.geometry, tuple(a)).labelmap().array_kji for a in layers]
    dtype = max((array.dtype for array in arrays), key=lambda d: d.itemsize)
    header = [*_fields(segmentation.geometry, len(layers), dtype), *_keys(segmentation, layers)]
    with path.open("wb") as stream:
        stream.write(("\n".join(header) + "\n\n").encode())
        with gzip.GzipFile("", "wb", _COMPRESSION, stream, mtime=0) as voxels:
            for slices in zip(*arrays, strict=True):
                voxels.write(np.stack(slices, -1).astype(dtype, copy=False).tobytes())


def is_seg_nrrd(path: Path) -> bool:
    """Whether a checked .nrrd file describes segments."""
    return "Segment0_ID" in read_nrrd_keys(path)


def read_seg_nrrd(path: Path, layers: Sequence[Volume]) -> Segmentation:
    """The segments of a file, labelled by their values if those are unique, else in their order.

    Args:
        path: the file, whose header was checked.
        layers: its voxels.

    Raises:
        VolumeError: the description of a segment is damaged; the message names the file.
    """
    keys = read_nrrd_keys(path)
    count = sum(f"Segment{n}_ID" in keys for n in range(min(len(keys), _MOST_SEGMENTS)))
    # Before 4.11, Slicer wrote a layer of 0 and 1 for each segment, and neither of these keys.
    is_old = "Segment0_LabelValue" not in keys
    values = [_number(path, keys, f"Segment{n}_LabelValue", 1) for n in range(count)]
    is_unique = len(set(values)) == count and all(0 < value <= 65535 for value in values)
    segments = []
    for n, value in enumerate(values):
        layer = _number(path, keys, f"Segment{n}_Layer", n if is_old else 0)
        if not 0 <= layer < len(layers):
            raise damaged(path, f"Segment{n}_Layer is {layer} of {len(layers)} layers")
        segments.append(
            Segment.from_mask(
                value if is_unique else n + 1,
                keys.get(f"Segment{n}_Name") or keys[f"Segment{n}_ID"],
                layers[layer].array_kji == value,
                color_rgb=_color(keys.get(f"Segment{n}_Color", "")),
                meaning=meaning_of_entry(_tags(keys.get(f"Segment{n}_Tags", ""))),
            )
        )
    return Segmentation(layers[0].geometry, tuple(segments), _ledger(keys))


def _fields(geometry: Geometry, layers: int, dtype: np.dtype[np.generic]) -> list[str]:
    """The fields of the format itself."""
    k, j, i = geometry.shape_kji
    matrix = _LPS @ geometry.ijk_to_ras[:3]
    vectors = [f"({','.join(repr(float(v)) for v in column)})" for column in matrix.T]
    several = layers > 1
    return [
        "NRRD0004",
        f"type: {'unsigned char' if dtype.itemsize == 1 else 'unsigned short'}",
        f"dimension: {4 if several else 3}",
        "space: left-posterior-superior",
        f"sizes: {f'{layers} ' if several else ''}{i} {j} {k}",
        f"space directions: {'none ' if several else ''}{' '.join(vectors[:3])}",
        f"kinds: {'list ' if several else ''}domain domain domain",
        *([] if dtype.itemsize == 1 else ["endian: little"]),
        "encoding: gzip",
        f"space origin: {vectors[3]}",
    ]


def _keys(segmentation: Segmentation, layers: Sequence[Sequence[Segment]]) -> list[str]:
    """The key/value pairs on the segments, in the order of their names, as Slicer writes them."""
    keys = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ConversionParameters": _reference(segmentation.geometry),
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    layer_of = {id(segment): n for n, layer in enumerate(layers) for segment in layer}
    for n, segment in enumerate(segmentation.segments):
        entry = segment.meaning.entry if segment.meaning else ""
        color = " ".join(f"{value:.6g}" for value in segment.color_rgb or ())
        values = {
            "Color": color,
            "ColorAutoGenerated": "0",
            "Extent": _extent(segment),
            "ID": f"Segment_{segment.label}",
            "LabelValue": str(segment.label),
            "Layer": str(layer_of[id(segment)]),
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Tags": f"{_STATUS}|TerminologyEntry:{entry}|",
        }
        keys |= {f"Segment{n}_{key}": value for key, value in values.items()}
    text = segmentation.ledger
    for n, start in enumerate(range(0, len(text), _PIECE)):
        keys[f"{LEDGER_KEY}.{n}"] = text[start : start + _PIECE]
    return [f"{key}:={_escaped(value)}" for key, value in sorted(keys.items())]


def _reference(geometry: Geometry) -> str:
    """Slicer's parameter for the grid of all segments: its matrix and extent."""
    k, j, i = geometry.shape_kji
    numbers = [*geometry.ijk_to_ras.ravel().tolist(), 0, i - 1, 0, j - 1, 0, k - 1]
    return f"Reference image geometry|{';'.join(map(repr, numbers))};|The grid of all segments.&"


def _extent(segment: Segment) -> str:
    """The first and last voxel along i, j and k; an empty segment's last is before its first."""
    if not segment.mask_kji.any():
        return "0 -1 0 -1 0 -1"
    start, stop = segment.region.start_kji[::-1], segment.region.stop_kji[::-1]
    return " ".join(f"{a} {b - 1}" for a, b in zip(start, stop, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", " ").replace("\0", " ")


def _number(path: Path, keys: dict[str, str], key: str, default: int) -> int:
    text = keys.get(key, str(default)).strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise damaged(path, f"{key} is {text[:20]!a}")
    return int(text)


def _color(text: str) -> Rgb | None:
    try:
        red, green, blue = (min(max(float(word), 0.0), 1.0) for word in text.split())
    except ValueError:
        return None
    return red, green, blue


def _tags(text: str) -> str:
    """The terminology entry among the tags of a segment."""
    tags = (tag.partition(":") for tag in text.split("|"))
    return next((value for key, _, value in tags if key == "TerminologyEntry"), "")


def _ledger(keys: dict[str, str]) -> str:
    pieces: list[str] = []
    while (piece := keys.get(f"{LEDGER_KEY}.{len(pieces)}")) is not None:
        pieces.append(piece)
    return "".join(pieces)


def check_layers(path: Path, array: Array) -> None:
    """Check that voxels of layers, (K, J, I, layers), are labels.

    Raises:
        VolumeError: they are not whole numbers.
    """
    if array.dtype.kind not in "ui":
        raise VolumeError(f"{path} has segments and voxels of {array.dtype}; export it again.")
