"""DICOM files with every element of their headers as a test wants it, written with pydicom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, generate_uid

STORAGE = "1.2.840.10008.5.1.4.1.1."
CLASSES = {"CT": "2", "MR": "4", "PT": "128", "US": "6.2"}
ENHANCED = {"CT": "2.1", "MR": "4.1", "PT": "130", "US": "6.2"}
EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2.{n}" for n in ("1", "2", "1.99"))
IMPLICIT = "1.2.840.10008.1.2"
RLE, JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4."


def _options(frame: np.ndarray) -> dict[str, Any]:
    return {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "bits_allocated": 16,
        "bits_stored": 16,
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "pixel_representation": int(frame.dtype.kind == "i"),
        "photometric_interpretation": "MONOCHROME2",
    }


ENCODERS: Mapping[str, Callable[[np.ndarray], bytes]] = {
    RLE: lambda a: get_encoder(RLE).encode(a, **_options(a)),
    JPEG + "70": lambda a: imagecodecs.jpeg8_encode(
        a.view(np.uint16), lossless=True, bitspersample=16
    ),
    JPEG + "80": lambda a: imagecodecs.jpegls_encode(a.view(np.uint16)),
    JPEG + "90": lambda a: imagecodecs.jpeg2k_encode(
        a, level=0, reversible=True, codecformat="j2k"
    ),
}


@dataclass(frozen=True)
class Slice:
    """One image: stored voxels (rows, columns), and where and what they are."""

    pixels: np.ndarray
    position: Sequence[float] | None
    row: Sequence[float] = (1, 0, 0)
    column: Sequence[float] = (0, 1, 0)
    spacing: Sequence[float] | None = (1.0, 1.0)
    slope: float | None = 1
    intercept: float | None = 0
    digits: str = ".10g"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> np.ndarray:
        """The values of the voxels, float64."""
        slope, intercept = float(decimal(self.slope or 1)), float(decimal(self.intercept or 0))
        return self.pixels * slope + intercept

    def changed(self, **changes: Any) -> Slice:
        return replace(self, **changes)


def decimal(value: float, digits: str = ".9g") -> str:
    """A decimal string of at most 16 characters."""
    return f"{value:{digits}}"[:16]


def slices(
    array: np.ndarray,
    step: Sequence[float] = (0, 0, 5.0),
    origin: Any = (-10, -20, 30),
    **more: Any,
) -> list[Slice]:
    """Slices of an array (K, J, I) at equal steps."""
    return [
        Slice(a, tuple(np.add(origin, np.multiply(k, step))), **more) for k, a in enumerate(array)
    ]


def noise(shape: Sequence[int] = (6, 8, 10), seed: int = 0) -> np.ndarray:
    """Voxels that differ everywhere, int16."""
    return np.random.default_rng(seed).integers(-900, 2000, tuple(shape)).astype(np.int16)


def write_files(
    folder: Path,
    series: Sequence[Slice],
    modality: str = "CT",
    syntax: str = EXPLICIT,
    name: str = "{:03d}.dcm",
    **common: Any,
) -> list[Path]:
    """One file for each slice; `common` are further elements of all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid(), **common}
    ids.setdefault("FrameOfReferenceUID", ids["StudyInstanceUID"])
    paths = []
    for number, one in enumerate(series, start=1):
        elements = {"InstanceNumber": number, **ids, **one.extra}
        dataset = _image(one.pixels[None], modality, CLASSES, elements)
        _place(dataset, dataset, dataset, one)
        _set_values(dataset, one)
        paths.append(folder / name.format(number - 1))
        save(dataset, paths[-1], one.pixels[None], syntax)
    return paths


def write_enhanced(
    path: Path,
    series: Sequence[Slice],
    modality: str = "CT",
    syntax: str = EXPLICIT,
    labels: Sequence[Mapping[str, Mapping[str, Any]]] | None = None,
    **common: Any,
) -> Path:
    """One multi-frame file; `labels` are further functional groups of each frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.stack([one.pixels for one in series])
    ids = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid(), **common}
    ids.setdefault("FrameOfReferenceUID", ids["StudyInstanceUID"])
    dataset = _image(pixels, modality, ENHANCED, ids)
    dataset.NumberOfFrames = len(series)
    frames = []
    for n, one in enumerate(series):
        frame, place, axes, measures, values = (Dataset() for _ in range(5))
        _place(place, axes, measures, one, is_volume=modality == "US")
        _set_values(values, one)
        volume = "Volume" if modality == "US" else ""
        setattr(frame, f"PlanePosition{volume}Sequence", Items([place]))
        setattr(frame, f"PlaneOrientation{volume}Sequence", Items([axes]))
        frame.PixelMeasuresSequence = Items([measures])
        if values:
            frame.PixelValueTransformationSequence = Items([values])
        for sequence, elements in (labels[n] if labels else {}).items():
            item = Dataset()
            for key, value in elements.items():
                setattr(item, key, value)
            setattr(frame, sequence, Items([item]))
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    save(dataset, path, pixels, syntax)
    return path


def save(dataset: Dataset, path: Path, pixels: np.ndarray, syntax: str) -> None:
    """Write a data set with voxels (frames, rows, columns) in a transfer syntax."""
    if syntax in ENCODERS:
        dataset.PixelData = encapsulate([ENCODERS[syntax](frame) for frame in pixels])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        order = ">" if syntax == BIG else "<"
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)


def _image(
    pixels: np.ndarray, modality: str, classes: Mapping[str, str], elements: Mapping[str, Any]
) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = STORAGE + classes[modality]
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
    dataset.PatientBirthDate = "19500101"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = pixels.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.SliceThickness = "7"
    for key, value in elements.items():
        setattr(dataset, key, value)
    return dataset


def _place(
    place: Dataset, axes: Dataset, measures: Dataset, one: Slice, is_volume: bool = False
) -> None:
    if is_volume:
        place.ImagePositionVolume = [float(v) for v in one.position or ()]
        axes.ImageOrientationVolume = [float(v) for v in (*one.row, *one.column)]
    else:
        if one.position is not None:
            place.ImagePositionPatient = [decimal(v, one.digits) for v in one.position]
        axes.ImageOrientationPatient = [decimal(v, ".10f") for v in (*one.row, *one.column)]
    if one.spacing is not None:
        measures.PixelSpacing = [decimal(v) for v in one.spacing]


def _set_values(values: Dataset, one: Slice) -> None:
    if one.slope is not None:
        values.RescaleSlope = decimal(one.slope)
    if one.intercept is not None:
        values.RescaleIntercept = decimal(one.intercept)
