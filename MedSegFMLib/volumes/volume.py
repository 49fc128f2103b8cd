"""A volume: voxels in `(K, J, I)` order together with their grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import VolumeError
from .geometry import Geometry
from .region import Region

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and their grid; several images of the same patient on it if there are more than one.

    Most of this library works on one image, the primary one; models that take several at once take
    all of `images` (see `images.taken_by`). Whatever moves the volume moves all of them.

    Attributes:
        array_kji: (K, J, I) C-contiguous array of a real number type or bool; copied if it is not
            contiguous, otherwise shared with the caller and never written to. Of several images,
            the primary one.
        geometry: the positions of the voxels; its shape equals the array's.
        modality: as the file states it: "CT", "MR", "PT" …; "" if it does not, as in NIfTI.
        description: the series' description, likewise.
        images: of a volume of several images, all of them by name, in the order that they were
            given in, each as `array_kji`; {} for one image. See `images.combined`.
        primary: the name of the image that `array_kji` is; "" for one image.

    Raises:
        VolumeError: the array does not have three axes, a real number type and the grid's shape.
    """

    array_kji: Array
    geometry: Geometry
    modality: str = ""
    description: str = ""
    images: Mapping[str, Array] = field(default_factory=dict)
    primary: str = ""

    def __post_init__(self) -> None:
        if not self.images:
            object.__setattr__(self, "array_kji", _checked(self.array_kji, self.geometry))
            return
        if self.images.get(self.primary) is not self.array_kji:
            raise ValueError(f"'{self.primary}' is not the name of the array among the images.")
        images = {name: _checked(array, self.geometry) for name, array in self.images.items()}
        object.__setattr__(self, "images", MappingProxyType(images))
        object.__setattr__(self, "array_kji", images[self.primary])

    def __repr__(self) -> str:
        k, j, i = self.array_kji.shape
        spacing = " x ".join(f"{mm:.4g}" for mm in self.geometry.spacing_ijk_mm)
        several = f", images {', '.join(self.images)}" if self.images else ""
        return (
            f"<Volume {i} x {j} x {k} voxels of {self.array_kji.dtype}, {spacing} mm, "
            f"{self.geometry.axis_codes}{several}>"
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
        """The lowest and highest value of the primary image, without copying the volume.

        Raises:
            VolumeError: a value is NaN or infinite in any image, or all values of the primary one
                are equal: no model can segment such a volume.
        """
        low, high = float(self.array_kji.min()), float(self.array_kji.max())
        for name, array in (self.images or {"": self.array_kji}).items():
            if not (np.isfinite(array.min()) and np.isfinite(array.max())):
                which = f"The image {name}" if name else "The volume"
                raise VolumeError(
                    f"{which} contains NaN or infinite values; replace them before segmenting."
                )
        if low == high:
            raise VolumeError(
                f"Every voxel of the volume has the value {low:g}; there is nothing to segment."
            )
        return low, high

    def with_array(self, array_kji: Array) -> Volume:
        """A volume of one image, with other voxels of the same shape on the same grid."""
        return replace(self, array_kji=array_kji, images={}, primary="")

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The array of every image, in order; the only one of a volume of one image."""
        return tuple(self.images.values()) or (self.array_kji,)

    def image(self, name: str) -> Volume:
        """One of the images as a volume of one image."""
        return self.with_array(self.images[name])

    def each_image(self, change: Callable[[Volume], Volume]) -> Volume:
        """The volume with every image changed; `change` gets and returns a volume of one image."""
        if not self.images:
            return change(self)
        changed = {name: change(self.image(name)) for name in self.images}
        images = {name: volume.array_kji for name, volume in changed.items()}
        return replace(changed[self.primary], images=images, primary=self.primary)

    def crop(self, region: Region) -> Volume:
        """The voxels of `region` with their grid."""
        return self._moved(lambda array: array[region.slices], self.geometry.crop(region))

    def pad(self, before_kji: Sequence[int], after_kji: Sequence[int], value: float = 0) -> Volume:
        """The volume with voxels of `value` added before and after along each axis."""
        geometry = self.geometry.pad(before_kji, after_kji)
        width = list(zip(before_kji, after_kji, strict=True))
        return self._moved(lambda array: np.pad(array, width, constant_values=value), geometry)

    def permute(self, axes_kji: Sequence[int]) -> Volume:
        """The volume with its array axes in another order; voxels keep their positions."""
        return self._moved(lambda array: array.transpose(axes_kji), self.geometry.permute(axes_kji))

    def flip(self, axis_kji: int) -> Volume:
        """The volume with one array axis reversed; voxels keep their positions."""
        return self._moved(lambda array: np.flip(array, axis_kji), self.geometry.flip(axis_kji))

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

        def resampled(array: Array) -> Array:
            dtype: DTypeLike = array.dtype if order == 0 else np.float32
            moved: Array = affine_transform(
                array,
                target_to_source[:3, :3],
                target_to_source[:3, 3],
                output_shape=geometry.shape_kji,
                output=dtype,
                order=order,
                mode="grid-constant",
                cval=outside,
            )
            return moved

        return self._moved(resampled, geometry)

    def _moved(self, move: Callable[[Array], Array], geometry: Geometry) -> Volume:
        """The same images with voxels on another grid."""
        return self.each_image(
            lambda image: replace(image, array_kji=move(image.array_kji), geometry=geometry)
        )


def _checked(array_kji: Array, geometry: Geometry) -> Array:
    """An array as that of a volume, C-contiguous."""
    array = np.asarray(array_kji)
    if array.ndim != 3:
        raise VolumeError(
            f"The volume has {array.ndim} axes {array.shape}; one 3D volume is needed."
        )
    if array.dtype.kind not in "biuf":
        raise VolumeError(
            f"The volume's voxels are {array.dtype}; real numbers are needed, one per voxel."
        )
    if array.shape != geometry.shape_kji:
        raise VolumeError(
            f"The array is {array.shape} and its grid {geometry.shape_kji}; they must agree."
        )
    return np.ascontiguousarray(array)
