"""The DICOM images of volumes, so that results can refer to them, as Slicer's database has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slicer

from ..datasets.challenge_npz import read_any_image
from ..errors import MedSegFMError
from ..volumes.volume import Volume

_INSTANCES = "DICOM.instanceUIDs"
Images = Mapping[str, Path]


class DicomFiles:
    """Finds a file by its SOPInstanceUID: the part of Slicer's database that saving uses."""

    def __init__(self) -> None:
        self._files: dict[str, Path] = {}

    def install(self) -> None:
        """Be Slicer's database in this process."""
        slicer.dicomDatabase = self

    def note(self, volume_node: Any, images: Images) -> None:
        """Note which images a volume was made of; none for other files."""
        self._files.update(images)
        if images:
            volume_node.SetAttribute(_INSTANCES, " ".join(images))

    def fileForInstance(self, uid: str) -> str:  # noqa: N802 - Slicer's name
        """The file of an image; "" if it is not known."""
        return str(self._files.get(uid, ""))


def read_with_images(path: Path, spacing_order: str) -> tuple[Volume, Images]:
    """A volume, and its images by their SOPInstanceUID if it is DICOM.

    Args:
        path: The file or folder.
        spacing_order: The order of the spacing in an npz file, "xyz" or "zyx".

    Raises:
        VolumeError, GeometryError: See `read_any_image`.
    """
    volume = read_any_image(path, spacing_order)
    return volume, _images(path)


def _images(path: Path) -> dict[str, Path]:
    from pydicom import dcmread

    from ..volumes.io.dicom.files import folder_of, is_dicom_file
    from ..volumes.io.dicom.reader import source_grid

    folder = folder_of(path)
    if folder is None and not is_dicom_file(path):
        return {}
    try:
        grid = source_grid(folder or path)
    except MedSegFMError:
        # Other formats are folders too.
        return {}
    found = {}
    for file in dict.fromkeys(image.header.path for image in grid.images):
        header = dcmread(file, specific_tags=["SOPInstanceUID"], force=True)
        found[str(header.get("SOPInstanceUID", ""))] = Path(file)
    return {} if "" in found else found
