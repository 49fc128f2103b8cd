"""DICOM series of volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MedSegFMLib import Volume

_LPS = np.diag([-1, -1, 1, 1])


def write_dicom(
    volume: Volume,
    folder: Path,
    series: str = "1.2.3.1",
    prefix: str = "s",
    tags: dict[str, str] | None = None,
) -> Volume:
    """Write one slice per file and return the volume with slices in the order GDCM sorts them."""
    folder.mkdir(exist_ok=True)
    others = tags or {}
    geometry = volume.geometry
    lps = _LPS @ geometry.ijk_to_ras
    rows, columns = lps[:3, 0] / geometry.spacing_ijk_mm[0], lps[:3, 1] / geometry.spacing_ijk_mm[1]
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k, voxels in enumerate(volume.array_kji):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(geometry.spacing_ijk_mm[:2])
        position = lps[:3] @ (0, 0, k, 1)
        tags = {
            "0020|000e": series,
            "0020|000d": "1.2.3",
            "0008|0018": f"{series}.{k + 1}",
            "0008|0060": "MR",
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{v:.10g}" for v in position),
            "0020|0037": "\\".join(f"{v:.10g}" for v in (*rows, *columns)),
            "0018|0050": f"{geometry.spacing_ijk_mm[2]:.10g}",
            **others,
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{prefix}{k:03d}.dcm"))
        writer.Execute(image)
    normal = np.cross(rows, columns)
    return volume if normal @ lps[:3, 2] > 0 else volume.flip(0)
