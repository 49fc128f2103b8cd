"""A folder of DICOM slices as one volume, and what keeps a folder from being one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import GeometryError, VolumeError

if TYPE_CHECKING:
    import SimpleITK

# Slices whose steps differ by more than this part of the step do not form a regular grid; the
# positions in headers are rounded to about 0.01 mm.
_STEP_TOLERANCE = 0.02


def read_series(folder: Path, series_uid: str | None) -> SimpleITK.Image:
    """Read the one image series in `folder`, or the one that `series_uid` names.

    Raises VolumeError where there is none, or several and no choice, and GeometryError where its
    slices do not stand on a regular grid (missing slices, mixed steps, a tilted gantry).
    """
    import SimpleITK as sitk

    series = {uid: names for uid, names in _image_series(folder).items() if names}
    if not series:
        raise VolumeError(f"The folder {folder} holds no DICOM image series.")
    if series_uid is None and len(series) > 1:
        listing = ", ".join(f"{uid} ({len(names)} files)" for uid, names in series.items())
        raise VolumeError(
            f"The folder {folder} holds {len(series)} DICOM series; choose one by its UID: "
            f"{listing}."
        )
    uid = series_uid or next(iter(series))
    if uid not in series:
        raise VolumeError(f"The folder {folder} holds no DICOM series {uid}; it holds {[*series]}.")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(series[uid])
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    _check_slice_positions(folder, reader, len(series[uid]))
    return image


def _image_series(folder: Path) -> dict[str, tuple[str, ...]]:
    import SimpleITK as sitk

    uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    return {uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids}


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
    positions = np.array([[float(v) for v in text.split("\\")] for text in texts])
    row, column = np.array([float(v) for v in orientation.split("\\")]).reshape(2, 3)
    normal = np.cross(row, column)
    steps = np.diff(positions, axis=0)
    along = steps @ normal
    typical = float(np.median(np.abs(along)))
    drift = float(np.linalg.norm(steps - np.outer(along, normal), axis=1).max())
    if drift > max(_STEP_TOLERANCE * typical, 0.02):
        raise GeometryError(
            f"The slices in {folder} are shifted by up to {drift:.2f} mm from one to the next "
            "(a tilted gantry); resample them to an upright grid first."
        )
    if typical == 0 or np.abs(np.abs(along) - typical).max() > max(_STEP_TOLERANCE * typical, 0.02):
        raise GeometryError(
            f"The slices in {folder} are {np.abs(along).min():.2f} to {np.abs(along).max():.2f} mm "
            "apart (missing or doubled slices, or several stacks); a regular stack is needed."
        )


def _tag(reader: SimpleITK.ImageSeriesReader, slice_index: int, tag: str) -> str:
    if not reader.HasMetaDataKey(slice_index, tag):
        return ""
    return str(reader.GetMetaData(slice_index, tag)).strip()
