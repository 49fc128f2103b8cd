"""Segmentations as RTSTRUCT: closed contours on the slices of a DICOM series.

Written with pydicom: rt-utils needs opencv and runs contours through the centres of voxels, which
makes every object half a voxel smaller, and highdicom does not write RTSTRUCT.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MaskError
from ...system.atomic_files import atomic_path
from ..geometry import Geometry
from .codes import Code
from .dicom_source import Source, named_errors
from .dicom_write import (
    LEDGER_ELEMENT,
    MANUFACTURER,
    PRIVATE_CREATOR,
    PRIVATE_GROUP,
    THEIRS,
    Algorithm,
    label_text,
)
from .meanings import TISSUE, equivalents_of
from .outlines import outlines
from .segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STORAGE_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
GRID_ELEMENT = 0x02
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_CONTOUR_DATA = 0x30060050
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_rtstruct(
    segmentation: Segmentation, path: Path, source: Source, algorithm: Algorithm
) -> None:
    """Write the contours of segments, atomically.

    The grid is in a private block, so that the voxels come back without the images.

    Args:
        segmentation: on the grid of the images; a segment's label is the number of its ROI.
        path: the file.
        source: the images.
        algorithm: what made the segments.

    Raises:
        MaskError: there is no segment, or they are on another grid.
        OutputError: the file cannot be written.
    """
    if not segmentation.segments:
        raise MaskError(f"{path} would have no segment; RTSTRUCT needs one.")
    if segmentation.geometry.shape_kji != source.geometry.shape_kji:
        raise MaskError(f"{path} needs segments on the grid of its images; resample them first.")
    try:
        dataset = _dataset(segmentation.with_usual_colors(), source, algorithm)
    except THEIRS as error:
        raise named_errors(path, error) from error
    with atomic_path(path) as beside:
        dataset.save_as(beside, enforce_file_format=True)


def _dataset(segmentation: Segmentation, source: Source, algorithm: Algorithm) -> Dataset:
    from ..io.dicom.damage import without_warnings

    images = _references(source)
    with without_warnings():
        dataset = _empty(source, algorithm)
        now = datetime.now()
        dataset.StructureSetLabel = MANUFACTURER
        dataset.StructureSetDate, dataset.StructureSetTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
        dataset.ReferencedFrameOfReferenceSequence = [_frame_of_reference(source, images)]
        segments = segmentation.segments
        frame = source.headers[0].FrameOfReferenceUID
        dataset.StructureSetROISequence = [_roi(s, frame, algorithm) for s in segments]
        dataset.ROIContourSequence = [
            _roi_contour(s, segmentation.geometry, images) for s in segments
        ]
        dataset.RTROIObservationsSequence = [
            _observation(n, segment) for n, segment in enumerate(segments, 1)
        ]
        block = dataset.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
        if segmentation.ledger:
            block.add_new(LEDGER_ELEMENT, "UT", segmentation.ledger)
        block.add_new(GRID_ELEMENT, "UT", _grid_text(segmentation.geometry))
    return dataset


def _empty(source: Source, algorithm: Algorithm) -> Any:
    import highdicom as hd

    dataset = hd.base.SOPClass(
        study_instance_uid=source.headers[0].StudyInstanceUID,
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        sop_class_uid=STORAGE_CLASS,
        instance_number=1,
        modality="RTSTRUCT",
        manufacturer=MANUFACTURER,
        manufacturer_model_name=label_text(algorithm.name),
        software_versions=algorithm.version,
        device_serial_number=algorithm.weights[:64] or "none",
        # Contours have more text than an element with a stated type can hold.
        transfer_syntax_uid=_IMPLICIT_LITTLE_ENDIAN,
        # Names of segments are in any script.
        specific_character_set="ISO_IR 192",
    )
    dataset.copy_patient_and_study_information(source.headers[0])
    dataset.OperatorsName = dataset.PositionReferenceIndicator = ""
    dataset.FrameOfReferenceUID = source.headers[0].FrameOfReferenceUID
    return dataset


def _references(source: Source) -> list[Dataset]:
    """The reference to the image of each slice."""
    from pydicom.dataset import Dataset

    items = []
    for k in range(source.geometry.shape_kji[0]):
        header = source.headers[0 if source.frames is not None else k]
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        if source.frames is not None:
            item.ReferencedFrameNumber = source.frames[k] + 1
        items.append(item)
    return items


def _frame_of_reference(source: Source, images: list[Dataset]) -> Dataset:
    from pydicom.dataset import Dataset

    header = source.headers[0]
    series, study, result = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = header.SeriesInstanceUID
    series.ContourImageSequence = images
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    result.FrameOfReferenceUID = header.FrameOfReferenceUID
    result.RTReferencedStudySequence = [study]
    return result


def _roi(segment: Segment, frame_of_reference: str, algorithm: Algorithm) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ROINumber = segment.label
    item.ReferencedFrameOfReferenceUID = frame_of_reference
    item.ROIName = label_text(segment.name)
    item.ROIDescription = segment.name[:1024]
    item.ROIGenerationAlgorithm = "AUTOMATIC" if algorithm.automatic else "SEMIAUTOMATIC"
    item.ROIGenerationDescription = label_text(f"MedSegFM {algorithm.version} {algorithm.name}")
    return item


def _roi_contour(segment: Segment, geometry: Geometry, images: list[Dataset]) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ROIDisplayColor = [round(255 * value) for value in segment.color_rgb or (1, 1, 1)]
    item.ReferencedROINumber = segment.label
    contours = []
    for k, polygon in _polygons(segment):
        points = np.column_stack([polygon, np.full(len(polygon), k)])
        contour = Dataset()
        contour.ContourImageSequence = [images[k]]
        contour.ContourGeometricType = "CLOSED_PLANAR"
        contour.NumberOfContourPoints = len(points)
        contour[_CONTOUR_DATA] = _raw_texts(geometry.ras_from_ijk(points) * _RAS_TO_LPS)
        contours.append(contour)
    if contours:
        item.ContourSequence = contours
    return item


def _polygons(segment: Segment) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The outlines of a segment in the volume's (i, j), and their slices."""
    first_k, first_j, first_i = segment.region.start_kji
    for k, mask in enumerate(segment.mask_kji, first_k):
        for polygon in outlines(mask):
            yield k, polygon + np.array([first_i, first_j])


def _raw_texts(points: NDArray[np.float64]) -> Any:
    """Numbers as decimal strings of at most 16 characters, as the bytes of ContourData.

    pydicom's own conversion takes four times as long as all else.
    """
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    text = "\\".join(f"{value:.10g}" for value in points.ravel()).encode()
    text += b" " * (len(text) % 2)
    return RawDataElement(Tag(_CONTOUR_DATA), "DS", len(text), text, 0, True, True)


def _observation(number: int, segment: Segment) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = segment.label
    meaning = segment.meaning or TISSUE
    kind = _coded(meaning.kind)
    if meaning.side is not None:
        kind.SegmentedPropertyTypeModifierCodeSequence = [_coded(meaning.side)]
    equivalents = equivalents_of(meaning.kind)
    if equivalents:
        kind.EquivalentCodeSequence = [_coded(code) for code in equivalents]
    item.RTROIIdentificationCodeSequence = [kind]
    item.RTROIInterpretedType = ""
    item.ROIInterpreter = ""
    return item


def _coded(code: Code) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme
    item.CodeMeaning = code.meaning
    return item


def _grid_text(geometry: Geometry) -> str:
    matrix = geometry.ijk_to_ras.ravel().tolist()
    return json.dumps({"shape_kji": geometry.shape_kji, "ijk_to_ras": matrix})
