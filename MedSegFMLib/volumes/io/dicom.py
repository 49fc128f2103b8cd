"""Reading of a DICOM series, with checks that its slices form a regular volume."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import GeometryError, VolumeError

if TYPE_CHECKING:
    import SimpleITK

# Slices whose steps differ by more than this fraction of the step do not form a regular grid;
# positions in headers are rounded to about 0.01 mm.
_STEP_TOLERANCE = 0.02

MODALITY_TAG = "0008|0060"
_DESCRIPTION_TAG = "0008|103e"
_MOST_NAMED = 5
# The media storage SOP class in a file's head, which is in explicit little endian always; and those
# of objects without pixels, which GDCM does not list: waveforms, presentation states, registrations
# and surfaces, reports, documents, radiotherapy plans and contours.
_START_BYTES = 1024
_STORAGE = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)
_NOT_IMAGE_STORAGE = tuple(
    b"1.2.840.10008.5.1.4.1.1." + family
    for family in (b"9.", b"11.", b"66", b"88.", b"104.", b"481.")
)
# DICOM objects that are not images, by their modality.
_NOT_IMAGES = {
    "SEG": "segmentation",
    "RTSTRUCT": "set of contours",
    "RTDOSE": "dose distribution",
    "RTPLAN": "treatment plan",
    "SR": "report",
    "PR": "presentation state",
    "KO": "selection of key objects",
}


def read_series(folder: Path, series_uid: str | None) -> SimpleITK.Image:
    """Read the only image series in `folder`, or the one with `series_uid`.

    Raises:
        VolumeError: there is no series, or several of them and no `series_uid`, or a file of the
            folder is damaged.
        GeometryError: the slices are not on a regular grid (missing slices, mixed steps, a tilted
            gantry).
    """
    import SimpleITK as sitk

    all_series = _all_series(folder)
    _check_all_are_listed(folder, all_series)
    series = {
        uid: names
        for uid, names in all_series.items()
        if names and _file_tags(names[0])[0] not in _NOT_IMAGES
    }
    if not series:
        raise _no_series(folder)
    if series_uid is None and len(series) > 1:
        listing = ", ".join(_described(uid, names) for uid, names in series.items())
        raise VolumeError(
            f"The folder {folder} contains {len(series)} DICOM series; choose one: {listing}."
        )
    uid = series_uid or next(iter(series))
    if uid not in series:
        raise VolumeError(
            f"The folder {folder} contains no DICOM series {uid}; it contains {[*series]}."
        )
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames(series[uid])
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    _check_slice_positions(folder, reader, len(series[uid]))
    return image


def _all_series(folder: Path) -> dict[str, tuple[str, ...]]:
    import SimpleITK as sitk

    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    return {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids}


def _check_all_are_listed(folder: Path, all_series: Mapping[str, Sequence[str]]) -> None:
    """Check that GDCM lists every slice: it leaves out truncated and damaged files silently."""
    listed = {Path(name).name for names in all_series.values() for name in names}
    for path in sorted(folder.iterdir()):
        if path.name in listed or path.name.upper() == "DICOMDIR" or not path.is_file():
            continue
        with path.open("rb") as stream:
            start = stream.read(_START_BYTES)
        is_dicom = start[128:132] == b"DICM"
        storage = _STORAGE.search(start)
        if storage and storage[1].startswith(_NOT_IMAGE_STORAGE):
            continue
        if is_dicom or (all_series and path.suffix.lower() in (".dcm", ".ima")):
            raise VolumeError(
                f"{path} is a DICOM file that was cut short or is damaged; copy it again or move "
                "it out of the folder."
            )


def check_is_image(path: Path, modality: str) -> None:
    """Raise VolumeError for a DICOM object that is not an image."""
    if modality.strip() in _NOT_IMAGES:
        raise VolumeError(
            f"{path} is a DICOM {_NOT_IMAGES[modality.strip()]}, not an image; use the image "
            "series it was made from."
        )


def _file_tags(name: str) -> tuple[str, str]:
    """Modality and series description of a file; empty if missing or the file is damaged."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(name)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return ("", "")
    modality, description = (
        reader.GetMetaData(tag).strip() if reader.HasMetaDataKey(tag) else ""
        for tag in (MODALITY_TAG, _DESCRIPTION_TAG)
    )
    return (modality, description)


def _described(uid: str, names: Sequence[str]) -> str:
    modality, description = _file_tags(names[0])
    return f"{modality} '{description}', {len(names)} slices: --series {uid}"


def _no_series(folder: Path) -> VolumeError:
    inside = [
        path.name for path in sorted(folder.iterdir()) if path.is_dir() and any(path.iterdir())
    ]
    hint = f"; use one of its folders: {', '.join(inside[:_MOST_NAMED])}" if inside else ""
    return VolumeError(f"The folder {folder} contains no DICOM image series{hint}.")


def _check_slice_positions(folder: Path, reader: SimpleITK.ImageSeriesReader, slices: int) -> None:
    if any(_tag(reader, n, "0008|0008").find("MOSAIC") >= 0 for n in range(slices)):
        raise VolumeError(
            f"The images in {folder} are Siemens mosaics (many slices tiled in one); convert them "
            "to NIfTI first, for instance with dcm2niix."
        )
    texts = [_tag(reader, n, "0020|0032") for n in range(slices)]
    orientation = _tag(reader, 0, "0020|0037")
    if slices < 2 or not all(texts) or not orientation:
        return
    positions = np.array([_numbers(folder, text, 3) for text in texts])
    row, column = np.reshape(_numbers(folder, orientation, 6), (2, 3))
    normal = np.cross(row, column)
    steps = np.diff(positions, axis=0)
    along = steps @ normal
    typical = float(np.median(np.abs(along)))
    drift = float(np.linalg.norm(steps - np.outer(along, normal), axis=1).max())
    if drift > max(_STEP_TOLERANCE * typical, 0.02):
        raise GeometryError(
            f"The slices in {folder} are shifted by up to {drift:.3g} mm from one to the next "
            "(a tilted gantry); resample them to an upright grid first."
        )
    if typical == 0 or np.abs(np.abs(along) - typical).max() > max(_STEP_TOLERANCE * typical, 0.02):
        raise GeometryError(
            f"The slices in {folder} are {np.abs(along).min():.2f} to {np.abs(along).max():.2f} mm "
            "apart (missing or duplicate slices, or several stacks); a regular stack is needed."
        )


def _numbers(folder: Path, text: str, count: int) -> list[float]:
    try:
        numbers = [float(v) for v in text.split("\\")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise GeometryError(
            f"A slice in {folder} has the position or orientation '{text}' instead of {count} "
            "finite numbers; repair its header or leave it out."
        )
    return numbers


def _tag(reader: SimpleITK.ImageSeriesReader, slice_index: int, tag: str) -> str:
    if not reader.HasMetaDataKey(slice_index, tag):
        return ""
    return str(reader.GetMetaData(slice_index, tag)).strip()
