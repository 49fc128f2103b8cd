"""Segmentations as DICOM SEG, with references to the images, written with highdicom.

Binary, or fractional from the probabilities of the model. The ledger is in a private block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...errors import MaskError
from ...system.atomic_files import atomic_path
from ..region import Region
from .codes import Code
from .dicom_source import Source, named_errors
from .meanings import TISSUE, Rgb, equivalents_of
from .segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PRIVATE_GROUP, PRIVATE_CREATOR, LEDGER_ELEMENT = 0x0041, "MedSegFM", 0x01
MANUFACTURER = "MedSegFM"
# DICOM PS3.16, CID 7162: networks, and models without weights.
_LEARNED = Code("123110", "Artificial Intelligence", "DCM")
_COMPUTED = Code("123101", "Neighborhood Analysis", "DCM")
_LONGEST_LABEL = 64
# Just below one half: outside, however 8 bits round it.
_OUTSIDE = 0.498
# What highdicom and pydicom raise for headers that lack something.
THEIRS = (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Algorithm:
    """The model that made the segments.

    Attributes:
        name: the model.
        version: that of this library.
        weights: the SHA-256 of its weights; empty if it has none.
        automatic: whether it segmented its classes without a prompt.
    """

    name: str
    version: str = __version__
    weights: str = ""
    automatic: bool = False


def check_source(source: Source, out: Path, fractional: bool = False) -> None:
    """Check that a segmentation of images can be made, before anything is segmented.

    Args:
        source: the images.
        out: the file to write, for messages.
        fractional: as for `write_dicom_seg`.

    Raises:
        OutputError: it cannot; the message names `out`.
    """
    one = np.ones((1, 1, 1), np.float32)
    voxel = Segment(1, "test", Region.whole((1, 1, 1)), one > 0, probability_kji=one)
    _made(Segmentation(source.geometry, (voxel,)), source, Algorithm("test"), fractional, out)


def write_dicom_seg(
    segmentation: Segmentation,
    path: Path,
    source: Source,
    algorithm: Algorithm,
    fractional: bool = False,
) -> None:
    """Write a DICOM SEG file, atomically.

    Args:
        segmentation: on the grid of the images; segments are numbered in their order.
        path: the file.
        source: the images.
        algorithm: what made the segments.
        fractional: whether probabilities are stored, in 255 steps, instead of masks.

    Raises:
        MaskError: there is no segment, or one lacks probabilities.
        OutputError: the file cannot be written.
    """
    dataset = _made(segmentation, source, algorithm, fractional, path)
    with atomic_path(path) as beside:
        dataset.save_as(beside, enforce_file_format=True)


def _made(
    segmentation: Segmentation, source: Source, algorithm: Algorithm, fractional: bool, out: Path
) -> Dataset:
    if not segmentation.segments:
        raise MaskError(f"{out} would have no segment; DICOM SEG needs one.")
    if segmentation.geometry.shape_kji != source.geometry.shape_kji:
        raise MaskError(f"{out} needs segments on the grid of its images; resample them first.")
    lacking = [s.name for s in segmentation.segments if s.probability_kji is None]
    if fractional and lacking:
        raise MaskError(
            f"{out} would be fractional, and '{lacking[0]}' has no probabilities; write it binary."
        )
    try:
        return _dataset(segmentation.with_usual_colors(), source, algorithm, fractional)
    except THEIRS as error:
        raise named_errors(out, error) from error


def _dataset(
    segmentation: Segmentation, source: Source, algorithm: Algorithm, fractional: bool
) -> Dataset:
    import highdicom as hd

    from ..io.dicom.damage import without_warnings

    array = _probabilities(segmentation) if fractional else _masks(segmentation)
    with without_warnings():
        dataset = hd.seg.Segmentation(
            source_images=source.headers,
            pixel_array=source.in_file_order(array),
            segmentation_type="FRACTIONAL" if fractional else "BINARY",
            segment_descriptions=[
                _description(n, segment, algorithm)
                for n, segment in enumerate(segmentation.segments, 1)
            ],
            series_instance_uid=hd.UID(),
            series_number=1,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=algorithm.name[:_LONGEST_LABEL],
            software_versions=algorithm.version,
            device_serial_number=algorithm.weights[:_LONGEST_LABEL] or "none",
            content_label="SEGMENTATION",
            content_description="Segmentation by MedSegFM",
            pixel_measures=_measures(source),
            # Names of segments are in any script.
            specific_character_set="ISO_IR 192",
        )
    if segmentation.ledger:
        block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
        block.add_new(LEDGER_ELEMENT, "UT", segmentation.ledger)
    return dataset


def _measures(source: Source) -> Any:
    import highdicom as hd

    i, j, k = source.geometry.spacing_ijk_mm
    thickness = source.headers[0].get("SliceThickness")
    apart = float(f"{k:.10g}")
    return hd.PixelMeasuresSequence(
        pixel_spacing=(float(f"{j:.10g}"), float(f"{i:.10g}")),
        slice_thickness=float(thickness) if thickness else apart,
        spacing_between_slices=apart,
    )


def _description(number: int, segment: Segment, algorithm: Algorithm) -> Any:
    import highdicom as hd

    meaning = segment.meaning or TISSUE
    types = hd.seg.SegmentAlgorithmTypeValues
    parameters = {"weights-sha256": algorithm.weights} if algorithm.weights else None
    identification = hd.AlgorithmIdentificationSequence(
        name=f"MedSegFM {algorithm.name}"[:_LONGEST_LABEL],
        family=_coded(_LEARNED if algorithm.weights else _COMPUTED),
        version=algorithm.version,
        source=MANUFACTURER,
        parameters=parameters,
    )
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label_text(segment.name),
        segmented_property_category=_coded(meaning.category),
        segmented_property_type=_coded(meaning.kind),
        algorithm_type=types.AUTOMATIC if algorithm.automatic else types.SEMIAUTOMATIC,
        algorithm_identification=identification,
        display_color=hd.color.CIELabColor.from_rgb(*_bytes(segment.color_rgb or (1, 1, 1))),
    )
    description.SegmentDescription = segment.name[:1024]
    kind = description.SegmentedPropertyTypeCodeSequence[0]
    if meaning.side is not None:
        kind.SegmentedPropertyTypeModifierCodeSequence = [_coded(meaning.side)]
    equivalents = equivalents_of(meaning.kind)
    if equivalents:
        kind.EquivalentCodeSequence = [_coded(code) for code in equivalents]
    return description


def label_text(name: str) -> str:
    """A name as a long string of DICOM: 64 characters without a backslash."""
    return name.replace("\\", "/")[:_LONGEST_LABEL].strip() or "segment"


def _coded(code: Code) -> Any:
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)


def _bytes(rgb: Rgb) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in rgb)
    return red, green, blue


def _masks(segmentation: Segmentation) -> NDArray[Any]:
    """Numbers of segments, (K, J, I), or a mask of each, (K, J, I, segments), if they overlap."""
    segments = segmentation.segments
    shape = segmentation.geometry.shape_kji
    if not segmentation.overlaps():
        numbers = np.zeros(shape, np.uint8 if len(segments) < 256 else np.uint16)
        for n, segment in enumerate(segments, 1):
            numbers[segment.region.slices][segment.mask_kji] = n
        return numbers
    return _stacked(shape, [(s, s.mask_kji) for s in segments], np.dtype(bool))


def _probabilities(segmentation: Segmentation) -> NDArray[Any]:
    parts = []
    for segment in segmentation.segments:
        inside = segment.mask_kji
        known = np.asarray(segment.probability_kji)
        outside = np.minimum(known, _OUTSIDE)
        parts.append((segment, np.where(inside, np.maximum(known, 1 - _OUTSIDE), outside)))
    return _stacked(segmentation.geometry.shape_kji, parts, np.dtype(np.float32))


def _stacked(
    shape: Sequence[int], parts: Sequence[tuple[Segment, NDArray[Any]]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    result = np.zeros((*shape, len(parts)), dtype)
    for n, (segment, part) in enumerate(parts):
        result[segment.region.slices][..., n] = part
    return result
