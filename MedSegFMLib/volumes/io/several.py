"""The files of several images of one volume: NAME=FILE, or NAME=FILE:N of a file of several.

N is the number of a volume of a 4D file, from 1, or that of a DICOM series of a folder, or its UID.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import VolumeError
from ...system.names import name_fault
from ..images import check_primary, combined
from ..volume import Volume

_EXAMPLE = "t1=t1.nii.gz"


@dataclass(frozen=True)
class ImageFiles:
    """The images of one volume.

    Attributes:
        places: for each name, in order, FILE or FILE:N.
        primary: the name of the image that prompts are placed in.
        resample: whether images on another grid are brought to that of the primary one.
    """

    places: Mapping[str, str]
    primary: str
    resample: bool = False

    @classmethod
    def of(
        cls,
        places: Mapping[str, str],
        primary: str | None = None,
        resample: bool = False,
        folder: Path | None = None,
    ) -> ImageFiles:
        """The images with these names.

        Args:
            places: for each name FILE or FILE:N.
            primary: the name of the primary image; None for the first.
            resample: whether images on another grid are resampled.
            folder: the folder that relative paths begin at; None for the current one.

        Raises:
            VolumeError: a name is empty or unprintable, or the primary image is none of them.
        """
        for name in places:
            fault = "is empty" if not name.strip() else name_fault(name)
            if fault:
                raise VolumeError(f"The name {name[:60]!a} of an image {fault}; give it another.")
        main = check_primary(list(places), primary)
        begun = {name: str(folder / place) if folder else place for name, place in places.items()}
        return cls(begun, main, resample)

    @property
    def paths(self) -> dict[str, Path]:
        """The file or folder of each image, by its name."""
        return {name: _parts(place)[0] for name, place in self.places.items()}

    @property
    def choices(self) -> dict[str, str | None]:
        """The volume or series that is read of each file or folder; None if there is one."""
        return {name: _parts(place)[1] for name, place in self.places.items()}

    @property
    def main(self) -> Path:
        """The file or folder of the primary image."""
        return self.paths[self.primary]

    def read(self, suv: bool = False) -> Volume:
        """Read the images as one volume.

        Args:
            suv: whether the values of PET series are converted to SUV; there must be one.

        Raises:
            VolumeError: an image cannot be read, or they are not on one grid; it names the image.
        """
        read = {name: self._read(name) for name in self.places}
        if suv:
            pet = [name for name, volume in read.items() if volume.modality == "PT"]
            if not pet:
                raise VolumeError(
                    "--suv is for PET series of DICOM, and no image is one; leave it out."
                )
            read |= {name: self._read(name, suv=True) for name in pet}
        return combined(read, self.primary, self.resample)

    def _read(self, name: str, suv: bool = False) -> Volume:
        path, choice = _parts(self.places[name])
        if choice is None:
            return Volume.read(path, suv=suv)
        if path.is_dir():
            return Volume.read(path, series=choice, suv=suv)
        return Volume.read(path, frame=int(choice), suv=suv)


def parse_images(
    texts: Sequence[str], primary: str | None = None, resample: bool = False
) -> ImageFiles:
    """The images of texts NAME=FILE or NAME=FILE:N.

    Raises:
        VolumeError: a text is none of these, or two have one name.
    """
    places: dict[str, str] = {}
    for text in texts:
        name, equals, place = text.partition("=")
        name, place = name.strip(), place.strip()
        if not (name and equals and place):
            raise VolumeError(f"The image '{text}' is not NAME=FILE; write it like {_EXAMPLE}.")
        if name in places:
            raise VolumeError(f"Two images have the name {name}; give each its own.")
        places[name] = place
    return ImageFiles.of(places, primary, resample)


def _parts(place: str) -> tuple[Path, str | None]:
    """The path, and the number or UID after its colon; a path that exists is one without."""
    whole = Path(place)
    before, colon, choice = place.rpartition(":")
    numeric = choice.replace(".", "").isascii() and choice.replace(".", "").isdecimal()
    if not (colon and before and numeric) or whole.exists():
        return whole, None
    is_number = choice.isdecimal()
    return (Path(before), choice) if is_number or Path(before).is_dir() else (whole, None)
