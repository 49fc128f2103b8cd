"""The header of a DICOM file: read with pydicom, its numbers parsed strictly from their bytes.

Text of a header may be the patient's, so that no message repeats any.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import VolumeError
from ....system.memory.physical_memory import check_fits_memory
from ..header_values import is_number
from .damage import DamageNamed, cut_short

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN, _IMPLICIT = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
# Group length of the file's meta information, which deflated files need to have.
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_BLOCK = 1 << 20
# Everything that is read of a header; what is not named here is skipped in the file.
_KEYWORDS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "PatientID", "Modality", "SeriesDescription", "SeriesNumber"),
    *("InstanceNumber", "ImageType", "NumberOfFrames", "NumberOfSlices", "ImagePositionPatient"),
    *("ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
    "RescaleType",
    *("ModalityLUTSequence", "DimensionIndexSequence", "SharedFunctionalGroupsSequence"),
    *("PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("EchoTime", "EchoNumbers", "InversionTime", "FlipAngle", "RepetitionTime"),
    *("TriggerTime", "NominalPercentageOfCardiacPhase", "CardiacNumberOfImages"),
    *("TemporalPositionIdentifier", "FrameReferenceTime", "DiffusionBValue"),
    *("DiffusionGradientOrientation", "AcquisitionNumber", "KVP", "ConvolutionKernel"),
    *("ImageIndex", "AcquisitionTime", "AcquisitionDate", "SeriesTime", "SeriesDate", "Units"),
    *("DecayCorrection", "CorrectedImage", "PatientWeight"),
    "RadiopharmaceuticalInformationSequence",
)
_OVERLAY_BIT_POSITIONS = tuple(0x60000102 + (group << 16) for group in range(0, 32, 2))
_PHILIPS_SUV_FACTOR = 0x70531000


@dataclass(frozen=True, eq=False)
class Header:
    """The header of a file, or an item of one of its sequences.

    Attributes:
        path: the file, for messages.
        dataset: the elements before the voxels.
        syntax: the UID of the transfer syntax.
        pixel_offset: the byte of the file at which the element with the voxels begins, or None if
            there is none; 0 in a deflated file, which has to be inflated first.
    """

    path: Path
    dataset: Dataset = field(repr=False)
    syntax: str
    pixel_offset: int | None

    @property
    def is_big_endian(self) -> bool:
        """Whether numbers are in big endian."""
        return self.syntax == _BIG_ENDIAN

    @property
    def is_implicit(self) -> bool:
        """Whether elements do not state their type."""
        return self.syntax == _IMPLICIT

    def text(self, keyword: str) -> str:
        """An element as text, without padding; empty if it is missing.

        Characters beyond ASCII are not those that are meant; see `prose`.
        """
        with DamageNamed(self.path):
            value = self._value(keyword)
            if isinstance(value, bytes):
                return value.decode("latin-1").strip("\0 ")
            return _joined(value)

    def prose(self, keyword: str) -> str:
        """An element that people read, in its character set and without control characters."""
        with DamageNamed(self.path):
            text = _joined(self.dataset.get(keyword))
        return "".join(c for c in text if c.isprintable()).strip()

    def decimals(self, keyword: str, count: int | None = None) -> list[float] | None:
        """The numbers of an element that stores them as text; None if it is missing or empty.

        Raises:
            VolumeError: it is anything else than `count` finite numbers.
        """
        texts = self.decimal_texts(keyword)
        if texts is None:
            return None
        if not all(is_number(text) for text in texts) or count not in (None, len(texts)):
            raise self.fault(keyword, f"has to be {count or ''} finite numbers".replace("  ", " "))
        values = [float(text) for text in texts]
        if not all(map(math.isfinite, values)):
            raise self.fault(keyword, "has to be finite")
        return values

    def decimal(self, keyword: str) -> float | None:
        """As `decimals`, for a single number."""
        values = self.decimals(keyword, 1)
        return None if values is None else values[0]

    def decimal_texts(self, keyword: str) -> list[bytes] | None:
        """The texts of the numbers of an element; None if it is missing or empty."""
        with DamageNamed(self.path):
            value = self._value(keyword)
        if not isinstance(value, bytes):
            # pydicom converted it before: numbers in binary, or items of private writers.
            parts = [] if value is None else value if _is_multiple(value) else [value]
            return [repr(float(part)).encode() for part in parts if part != ""] or None
        value = value.strip(b"\0 \t\r\n")
        return [part.strip() for part in value.split(b"\\")] if value else None

    def binary(self, keyword: str | int, count: int | None = None) -> list[float] | None:
        """The numbers of an element that stores them in binary; None if it is missing or empty.

        Raises:
            VolumeError: it is anything else than `count` finite numbers.
        """
        with DamageNamed(self.path):
            element = self.dataset.get(keyword)
            value = element.value if isinstance(keyword, int) and element is not None else element
            if value is None or value == "":
                return None
            values = [float(v) for v in (value if _is_multiple(value) else [value])]
        if count not in (None, len(values)) or not all(map(math.isfinite, values)):
            raise self.fault(str(keyword), f"has to be {count} finite numbers")
        return values or None

    def integer(self, keyword: str) -> int | None:
        """A whole number stored in binary; None if it is missing."""
        value = self._value(keyword)
        if isinstance(value, bytes) and len(value) == 2:
            return int.from_bytes(value, "big" if self.is_big_endian else "little")
        values = self.binary(keyword, 1)
        return None if values is None else int(values[0])

    def items(self, keyword: str) -> list[Header]:
        """The items of a sequence; none if it is missing."""
        with DamageNamed(self.path):
            sequence: Any = self.dataset.get(keyword)
            if not sequence:
                return []
            if isinstance(sequence, bytes | str):
                raise ValueError
            return [Header(self.path, item, self.syntax, None) for item in sequence]

    def item(self, keyword: str) -> Header | None:
        """The first item of a sequence; None if there is none."""
        return next(iter(self.items(keyword)), None)

    def pointed_keywords(self) -> list[str]:
        """The keyword of the element that each dimension of a multi-frame file counts."""
        from pydicom.datadict import keyword_for_tag

        items = self.items("DimensionIndexSequence")
        with DamageNamed(self.path):
            pointers = [item.dataset.get("DimensionIndexPointer") for item in items]
            return ["" if p is None else keyword_for_tag(p) for p in pointers]

    def has_overlay_bits(self) -> bool:
        """Whether the unused bits of voxels store an overlay."""
        present = (tag for tag in _OVERLAY_BIT_POSITIONS if tag in self.dataset)
        return any(self.binary(tag) not in (None, [0.0]) for tag in present)

    def philips_suv_factor(self) -> float | None:
        """Philips' private factor from stored counts to SUV by body weight; None if missing."""
        with DamageNamed(self.path):
            element = self.dataset.get(_PHILIPS_SUV_FACTOR)
            value = None if element is None else element.value
            if isinstance(value, bytes):
                value = value.decode("ascii").strip()
            return None if value in (None, "") else float(value)

    def _value(self, keyword: str) -> Any:
        """The bytes of an element, or its value if pydicom converted it before."""
        element = self.dataset.get_item(_tag(keyword))
        return None if element is None else element.value

    def fault(self, keyword: str, rule: str) -> VolumeError:
        """The error for an element with a bad value, which is not repeated."""
        return VolumeError(
            f"{self.path} has a {keyword} that {rule}; repair its header or leave it out."
        )


def read_header(path: Path) -> Header:
    """Read the header of a DICOM file, up to its voxels.

    Raises:
        VolumeError: it was cut short or is damaged.
        OSError: it cannot be read.
    """
    from pydicom import dcmread

    with path.open("rb") as stream, DamageNamed(path):
        _check_deflated(path, stream.read(1024))
        stream.seek(0)
        dataset = dcmread(stream, force=True, stop_before_pixels=True, specific_tags=list(_tags()))
        # Where the next element begins; in a deflated file this is the end.
        offset = stream.tell()
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) or _guessed_syntax(dataset)
        first = stream.read(4)
    if syntax == DEFLATED:
        return Header(path, dataset, syntax, 0)
    order = ">" if syntax == _BIG_ENDIAN else "<"
    group, element = struct.unpack(order + "HH", first) if len(first) == 4 else (0, 0)
    is_pixels = (group << 16) + element in _PIXEL_TAGS
    return Header(path, dataset, syntax, offset if is_pixels else None)


def read_directory(path: Path) -> list[Header]:
    """The records of the directory of a CD (DICOMDIR); raises as `read_header`."""
    from pydicom import dcmread

    with DamageNamed(path):
        dataset = dcmread(path, force=True, specific_tags=["DirectoryRecordSequence"])
    return Header(path, dataset, _EXPLICIT, None).items("DirectoryRecordSequence")


def storage_class(header: Header) -> str:
    """The UID of the class of object that a file stores."""
    with DamageNamed(header.path):
        meta = getattr(header.dataset, "file_meta", None) or {}
        return header.text("SOPClassUID") or str(meta.get("MediaStorageSOPClassUID", ""))


@cache
def _tags() -> tuple[int, ...]:
    from pydicom.datadict import tag_for_keyword

    known = (tag_for_keyword(keyword) for keyword in _KEYWORDS)
    return (
        *(tag for tag in known if tag is not None),
        *_OVERLAY_BIT_POSITIONS,
        _PHILIPS_SUV_FACTOR,
    )


@cache
def _tag(keyword: str) -> Any:
    from pydicom.tag import Tag

    return Tag(keyword)


def _joined(value: object) -> str:
    if value is None:
        return ""
    parts = value if isinstance(value, Sequence) and _is_multiple(value) else [value]
    return "\\".join(str(part) for part in parts).strip("\0 ")


def _is_multiple(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _guessed_syntax(dataset: Dataset) -> str:
    """The syntax of a file that does not state it, as pydicom guessed it."""
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return _IMPLICIT
    return _EXPLICIT if is_little else _BIG_ENDIAN


def _check_deflated(path: Path, start: bytes) -> None:
    """Check that a deflated file fits memory before pydicom inflates it in one piece."""
    if DEFLATED.encode() not in start:
        return
    at = start.find(_META_LENGTH, 128)
    if at < 0:
        raise cut_short(path)
    (length,) = struct.unpack_from("<I", start, at + 8)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as stream:
        stream.seek(at + 12 + length)
        block = stream.read(_BLOCK)
        while block and not inflater.eof:
            size += len(inflater.decompress(block, _BLOCK))
            check_fits_memory(str(path), size, VolumeError)
            block = inflater.unconsumed_tail or stream.read(_BLOCK)
    if not inflater.eof:
        raise cut_short(path)
