"""A volume: voxels in `(K, J, I)` order together with their grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import VolumeError
from .geometry import Geometry
from .region import Region

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and their grid.

    Attributes:
        array_kji: (K, J, I) C-contiguous array of a real number type or bool; copied if it is not
            contiguous, otherwise shared with the caller and never written to.
        geometry: the positions of the voxels; its shape equals the array's.
        modality: as the file states it: "CT", "MR", "PT" …; "" if it does not, as in NIfTI.
        description: the series' description, likewise.

    Raises:
        VolumeError: the array does not have three axes, a real number type and the grid's shape.
    """

    array_kji: Array
    geometry: Geometry
    modality: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        array = np.asarray(self.array_kji)
        if array.ndim != 3:
            raise VolumeError(
                f"The volume has {array.ndim} axes {array.shape}; one 3D volume is needed."
            )
        if array.dtype.kind not in "biuf":
            raise VolumeError(
                f"The volume's voxels are {array.dtype}; real numbers are needed, one per voxel."
            )
        if array.shape != self.geometry.shape_kji:
            raise VolumeError(
                f"The array is {array.shape} and its grid {self.geometry.shape_kji}; they must "
                "agree."
            )
        object.__setattr__(self, "array_kji", np.ascontiguousarray(array))

    def __repr__(self) -> str:
        k, j, i = self.array_kji.shape
        spacing = " x ".join(f"{mm:.4g}" for mm in self.geometry.spacing_ijk_mm)
        return (
            f"<Volume {i} x {j} x {k} voxels of {self.array_kji.dtype}, {spacing} mm, "
            f"{self.geometry.axis_codes}>"
        )

    @classmethod
    def read(
        cls,
        path: Path | str,
        series: str | int | None = None,
        frame: int | None = None,
        suv: bool = False,
        spacing_ijk_mm: Sequence[float] | None = None,
        level: int | None = None,
        channel: str | int | None = None,
    ) -> Volume:
        """Read a NIfTI, NRRD, MetaImage, FreeSurfer, TIFF, OME-Zarr or DICOM file or folder.

        What is left out or not as its header says is logged as a warning.

        Args:
            path: the file or folder; a folder is searched with the folders in it.
            series: the DICOM series to read if a folder contains several: its UID, or its number
                in the list of `medsegfm show`.
            frame: the volume to read, from 1, if there are several on one grid (time points,
                echoes, b-values).
            suv: whether the values of a PET series are converted to SUV by body weight.
            spacing_ijk_mm: the distance between columns, rows and slices of a TIFF file, which
                does not state it, or of an OME-Zarr image without units.
            level: the image of an OME-Zarr pyramid; 0, the largest, is the default.
            channel: the channel of an OME-Zarr image if it has several: its name, or its number
                from 1.

        Raises:
            VolumeError: the input is missing, truncated or not one 3D scalar volume.
            GeometryError: the grid is not regular.
        """
        from .io.image_files import read_volume

        return read_volume(Path(path), series, frame, suv, spacing_ijk_mm, level, channel)

    def write(self, path: Path | str, names: Mapping[int, str] | None = None) -> None:
        """Write a file in the format of its ending, one of `io.image_files.WRITERS`, atomically.

        Args:
            path: the file to write.
            names: the names of a label map's objects by label, for formats that store them.

        Raises:
            OutputError: the ending is not one of those, or the file cannot be written.
            GeometryError: the format cannot store the grid.
        """
        from .io.image_files import write_volume

        write_volume(self, Path(path), names or {})

    def intensity_range(self) -> tuple[float, float]:
        """The lowest and highest value, without copying the volume.

        Raises:
            VolumeError: a value is NaN or infinite, or all values are equal: no model can segment
                such a volume.
        """
        low, high = float(self.array_kji.min()), float(self.array_kji.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise VolumeError(
                "The volume contains NaN or infinite values; replace them before segmenting."
            )
        if low == high:
            raise VolumeError(
                f"Every voxel of the volume has the value {low:g}; there is nothing to segment."
            )
        return low, high

    def with_array(self, array_kji: Array) -> Volume:
        """A volume with other voxels of the same shape on the same grid."""
        return replace(self, array_kji=array_kji)

    def crop(self, region: Region) -> Volume:
        """The voxels of `region` with their grid."""
        return self._moved(self.array_kji[region.slices], self.geometry.crop(region))

    def pad(self, before_kji: Sequence[int], after_kji: Sequence[int], value: float = 0) -> Volume:
        """The volume with voxels of `value` added before and after along each axis."""
        geometry = self.geometry.pad(before_kji, after_kji)
        width = list(zip(before_kji, after_kji, strict=True))
        return self._moved(np.pad(self.array_kji, width, constant_values=value), geometry)

    def permute(self, axes_kji: Sequence[int]) -> Volume:
        """The volume with its array axes in another order; voxels keep their positions."""
        return self._moved(self.array_kji.transpose(axes_kji), self.geometry.permute(axes_kji))

    def flip(self, axis_kji: int) -> Volume:
        """The volume with one array axis reversed; voxels keep their positions."""
        return self._moved(np.flip(self.array_kji, axis_kji), self.geometry.flip(axis_kji))

    def reoriented(self, axis_codes: str) -> Volume:
        """The volume with i, j, k increasing toward `axis_codes`; voxels keep their positions.

        Args:
            axis_codes: for instance "RAS"; oblique axes count toward the side they lean to.

        Raises:
            VolumeError: the codes do not name each of the three directions once.
        """
        pairs = ["RL", "AP", "SI"]
        wanted = [next((n for n, p in enumerate(pairs) if c in p), -1) for c in axis_codes]
        if sorted(wanted) != [0, 1, 2]:
            raise VolumeError(
                f"Axis codes '{axis_codes}' must contain one each of RL, AP and SI, as in RAS."
            )
        here = [next(n for n, p in enumerate(pairs) if c in p) for c in self.geometry.axis_codes]
        # Array axis a is index axis 2 - a; find the current axis along each requested direction.
        volume = self.permute([2 - here.index(wanted[2 - a]) for a in range(3)])
        for axis_ijk, (current, requested) in enumerate(
            zip(volume.geometry.axis_codes, axis_codes, strict=True)
        ):
            if current != requested:
                volume = volume.flip(2 - axis_ijk)
        return volume

    def resample(self, geometry: Geometry, order: int = 1, outside: float = 0) -> Volume:
        """Resample the volume to another grid in physical space.

        Args:
            geometry: the grid of the result.
            order: 0 for the nearest voxel (for labels; the type is kept), 1 for linear
                interpolation (float32).
            outside: the value of voxels beyond this volume.
        """
        if geometry == self.geometry:
            return self
        from scipy.ndimage import affine_transform

        reverse = np.eye(4)[[2, 1, 0, 3]]
        target_to_source = reverse @ self.geometry.ras_to_ijk @ geometry.ijk_to_ras @ reverse
        dtype: DTypeLike = self.array_kji.dtype if order == 0 else np.float32
        array = affine_transform(
            self.array_kji,
            target_to_source[:3, :3],
            target_to_source[:3, 3],
            output_shape=geometry.shape_kji,
            output=dtype,
            order=order,
            mode="grid-constant",
            cval=outside,
        )
        return self._moved(array, geometry)

    def _moved(self, array_kji: Array, geometry: Geometry) -> Volume:
        """The same image with voxels on another grid."""
        return replace(self, array_kji=array_kji, geometry=geometry)
