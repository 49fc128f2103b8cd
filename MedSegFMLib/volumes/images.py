"""Several images of one patient as one volume: four sequences of MR, or PET and CT.

They are on one grid, that of the primary image: the one that prompts are placed in and that models
of one image segment. Models that take several at once name them, as their `ModelCard.channels`
say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import VolumeError, numbers_text
from .geometry import Geometry
from .grids import extent_text, may_overlap
from .volume import Volume

Channels = tuple[str, ...] | int | None
"""The images of one volume that a model takes at once: their names in the model's order, or their
number if they have no names. None if its weights decide, which are not loaded yet."""


def image_names(channels: Channels) -> tuple[str, ...]:
    """The names of the images that a model of several is given, in its order; () for one image.

    They are the model's own if they differ from each other, and numbers from 1 otherwise.
    """
    names = channels if isinstance(channels, tuple) else ()
    count = channels if isinstance(channels, int) else len(names)
    if count < 2:
        return ()
    return names if _are_distinct(names) else tuple(str(n) for n in range(1, count + 1))


def combined(
    images: Mapping[str, Volume], primary: str | None = None, resample: bool = False
) -> Volume:
    """Several images on one grid as one volume.

    Args:
        images: the images by name, one each.
        primary: the name of the primary image; None for the first.
        resample: whether images on another grid are brought to that of the primary one, by linear
            interpolation; beyond their own grid, their lowest value is used.

    Raises:
        VolumeError: there is no image or none of the primary's name, a grid differs and is not to
            be resampled, or it does not overlap that of the primary image.
    """
    main = check_primary(list(images), primary)
    geometry = images[main].geometry
    arrays = {}
    for name, volume in images.items():
        if name != main and not volume.geometry.matches(geometry):
            volume = _resampled(volume, geometry, name, main, resample)
        arrays[name] = volume.array_kji
    if len(arrays) == 1:
        return images[main]
    return replace(images[main], images=arrays, primary=main)


def check_primary(names: Sequence[str], primary: str | None) -> str:
    """The name of the primary image: the one asked for, or the first.

    Raises:
        VolumeError: there is no image of the name, or none at all.
    """
    if not names:
        raise VolumeError("There is no image; give at least one.")
    if primary is not None and primary not in names:
        raise VolumeError(
            f"The primary image is '{primary}', and the images are {', '.join(names)}; name one of "
            "them."
        )
    return names[0] if primary is None else primary


def _resampled(volume: Volume, geometry: Geometry, name: str, main: str, resample: bool) -> Volume:
    if not may_overlap(volume.geometry, geometry):
        raise VolumeError(
            f"The image {name} ({extent_text(volume.geometry)}) and the image {main} "
            f"({extent_text(geometry)}) do not overlap in the patient; give images of one patient "
            "in one position."
        )
    if not resample:
        raise VolumeError(
            f"The image {name} is on another grid ({_grid_text(volume.geometry)}) than the image "
            f"{main} ({_grid_text(geometry)}); have it resampled to that grid (--resample-images, "
            'or "resample": true in a file of cases), or give images on one grid.'
        )
    return volume.resample(geometry, outside=float(volume.array_kji.min()))


def _grid_text(geometry: Geometry) -> str:
    k, j, i = geometry.shape_kji
    return (
        f"{i} x {j} x {k} voxels of {numbers_text(geometry.spacing_ijk_mm)} mm "
        f"{extent_text(geometry)}"
    )


@dataclass(frozen=True, eq=False)
class Taken:
    """The images that a model takes of a volume.

    Attributes:
        volume: the volume with those images in the model's order, under the model's names if it
            has any; of one image if the model takes one.
        note: a sentence if images are left out; "" if none is.
    """

    volume: Volume
    note: str = ""


def taken_by(volume: Volume, channels: Channels, title: str) -> Taken:
    """The images of a volume that a model takes.

    A model with names gets the images of those names, whatever their case and punctuation. A model
    without, or with one name for several images, gets as many images as it takes in the order that
    they were given in. A model of one image gets the primary one, unless one has its name.

    Args:
        volume: the volume.
        channels: those of the model's card.
        title: the model's name for messages.

    Raises:
        VolumeError: the volume lacks an image of the model, or has more without the model's names.
    """
    names = channels if isinstance(channels, tuple) else ()
    count = len(names) or (channels if isinstance(channels, int) else 1)
    given = list(volume.images)
    if count == 1 and not given:
        return Taken(volume)
    by_name = {_plain(name): name for name in given}
    distinct = _are_distinct(names)
    if distinct and all(_plain(name) in by_name for name in names):
        chosen = [by_name[_plain(name)] for name in names]
    elif count == 1:
        chosen = [volume.primary]
    elif not distinct and len(given) == count:
        chosen = given
    else:
        raise VolumeError(_lacking(title, names, count, given))
    left = [name for name in given if name not in chosen]
    if count == 1:
        note = (
            f"{title} takes one image of a volume and uses {chosen[0]}, not {_and(left)}; make "
            "another the primary image (--primary NAME) to use that."
        )
        return Taken(volume.image(chosen[0]), note)
    images = {
        name if distinct else old: volume.images[old]
        for name, old in zip(names or chosen, chosen, strict=True)
    }
    main = volume.primary if volume.primary in chosen else chosen[0]
    primary = next(name for name, old in zip(images, chosen, strict=True) if old == main)
    note = f"{title} uses {_and(chosen)} and not {_and(left)}." if left else ""
    taken = replace(volume, array_kji=images[primary], images=images, primary=primary)
    return Taken(taken, note)


def _lacking(title: str, names: Sequence[str], count: int, given: Sequence[str]) -> str:
    wanted = f"{count} images of each volume at once" + (f" ({', '.join(names)})" if names else "")
    has = f"this one has {', '.join(given)}" if given else "this one has a single image"
    example = names[0] if names else "NAME"
    return (
        f"{title} takes {wanted}, and {has}; give each by its name: --image {example}=FILE, "
        '"images" of a case, or the box Images of the panel.'
    )


def _are_distinct(names: Sequence[str]) -> bool:
    """Whether there are names, all of which differ, whatever their case and punctuation."""
    return bool(names) and len({_plain(name) for name in names}) == len(names)


def _plain(name: str) -> str:
    """A name without its case and punctuation."""
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _and(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
