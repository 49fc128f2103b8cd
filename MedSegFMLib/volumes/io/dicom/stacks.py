"""The stacks of a series: images that can be slices of one volume, and what sets others apart.

A series may contain a scout, copies, another orientation or matrix, and several images at each
place (time points, echoes, b-values, phases).
"""

from __future__ import annotations

import filecmp
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import VolumeError
from .header import storage_class
from .images import Image

# Axes and spacings that differ by less may be slices of one stack; the grid's proof is stricter.
_SAME_AXES, _SAME_SPACING = 1e-3, 1e-3
# Images closer than this part of a voxel are at one place.
_SAME_PLACE = 0.1


@dataclass(frozen=True, eq=False)
class Stack:
    """Images that agree in all that slices of a volume share.

    Attributes:
        images: the images, of one or several time points.
        oddity: its difference from the largest stack of its series; empty for that one.
    """

    images: Sequence[Image]
    oddity: str = ""

    @property
    def is_placed(self) -> bool:
        """Whether its images state their place in the patient."""
        return _missing(self.images[0]) == ""

    def places(self) -> list[list[Image]]:
        """The images by place, along the cross product of their axes."""
        return _places(self.images) if self.is_placed else [[image] for image in self.images]


def without_copies(images: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """Images, and those that are in a byte for byte copy of another file."""
    kept: list[Image] = []
    copies: list[Image] = []
    first: dict[tuple[str, int, str], list[Image]] = defaultdict(list)
    for image in images:
        key = (image.header.text("SOPInstanceUID"), image.index, str(image.position_lps))
        path = image.header.path
        if any(filecmp.cmp(path, one.header.path, shallow=False) for one in first[key]):
            copies.append(image)
            continue
        first[key].append(image)
        kept.append(image)
    return kept, copies


def stacks_of(images: Sequence[Image]) -> list[Stack]:
    """Divide the images of a series into stacks, the one with the most places first."""
    groups = [list(images)]
    for key in (_class, _patient, _frame_of_reference, _localizer, _matrix, _stack_id, _missing):
        groups = [part for group in groups for part in _by_key(group, key)]
    for numbers, tolerance in ((_axes_numbers, _SAME_AXES), (_spacing_numbers, _SAME_SPACING)):
        groups = [part for group in groups for part in _by_numbers(group, numbers, tolerance)]
    stacks = sorted((Stack(group) for group in groups), key=_size, reverse=True)
    main = stacks[0].images[0]
    return [stacks[0], *(Stack(s.images, _oddity(s.images[0], main)) for s in stacks[1:])]


def frames_of(stack: Stack) -> tuple[list[list[Image]], str]:
    """Divide a stack with several images at a place into volumes, the first in order first.

    Returns:
        The images of each volume, and the element that distinguishes them; empty for one volume.

    Raises:
        VolumeError: nothing distinguishes the images at a place.
    """
    places = stack.places()
    most = max(map(len, places))
    if most == 1:
        return [list(stack.images)], ""
    names = _varying_labels(places)
    for choice in [*([name] for name in names), names]:
        parts = _by_value(stack.images, choice) if choice else [[]]
        # Values of one image each, such as times, belong to no volume.
        is_whole = 2 * max(map(len, parts)) > len(places)
        if is_whole and all(len(part) == len(_places(part)) for part in parts):
            return parts, " and ".join(choice)
    if all(len(place) == most for place in places):
        for name in names:
            ranked = _by_rank(places, name)
            if ranked:
                return ranked, name
        ordered = _by_order(stack.images, places)
        if ordered:
            return ordered, "InstanceNumber"
    first, second = next(place for place in places if len(place) > 1)[:2]
    raise VolumeError(
        f"The images {first.full_name} and {second.name} are at one place, and "
        "nothing in their headers says which belongs to the volume; move one of them out of the "
        "folder, or export one volume alone."
    )


def check_placed(images: Iterable[Image]) -> None:
    """Check that images state their place in the patient.

    Raises:
        VolumeError: one does not; the message names it.
    """
    for image in images:
        missing = _missing(image)
        if missing:
            raise VolumeError(
                f"{image.full_name} states no {missing}, without which its place in the "
                "volume is unknown; leave it out, or export the series again."
            )


def _missing(image: Image) -> str:
    values = (image.position_lps, image.axes_lps, image.spacing_mm)
    names = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    return next((name for name, v in zip(names, values, strict=True) if v is None), "")


def _size(stack: Stack) -> tuple[bool, int, int]:
    is_localizer = _localizer(stack.images[0])
    return (not is_localizer, len(stack.places()), len(stack.images))


def _class(image: Image) -> str:
    return storage_class(image.header)


def _patient(image: Image) -> tuple[str, str]:
    return (image.header.text("StudyInstanceUID"), image.header.text("PatientID"))


def _frame_of_reference(image: Image) -> str:
    return image.header.text("FrameOfReferenceUID")


def _localizer(image: Image) -> bool:
    return "LOCALIZER" in image.header.text("ImageType").upper().split("\\")


def _matrix(image: Image) -> tuple[int, int, str]:
    samples = image.header.integer("SamplesPerPixel")
    return (*image.shape, "colour" if samples not in (None, 1) else "")


def _stack_id(image: Image) -> str:
    return image.stack


def _axes_numbers(image: Image) -> Sequence[float] | None:
    return None if image.axes_lps is None else image.axes_lps.ravel().tolist()


def _spacing_numbers(image: Image) -> Sequence[float] | None:
    return None if image.spacing_mm is None else np.log(image.spacing_mm).tolist()


_ODDITIES: tuple[tuple[Callable[[Image], object], str], ...] = (
    (_class, "another kind of object"),
    (_patient, "another study or patient"),
    (_localizer, "a localizer"),
    (_matrix, "another matrix"),
    (_frame_of_reference, "another frame of reference"),
    (_stack_id, "another stack"),
)


def _oddity(image: Image, main: Image) -> str:
    """The difference of an image from the main stack."""
    for key, words in _ODDITIES:
        if key(image) != key(main):
            return words
    missing = _missing(image)
    if missing != _missing(main):
        return f"no {missing}" if missing else "with a place"
    axes, main_axes = _axes_numbers(image), _axes_numbers(main)
    if axes and main_axes and np.abs(np.subtract(axes, main_axes)).max() > _SAME_AXES:
        return "another orientation"
    return "another pixel spacing"


def _by_key(images: Sequence[Image], key: Callable[[Image], object]) -> list[list[Image]]:
    groups: dict[object, list[Image]] = defaultdict(list)
    for image in images:
        groups[key(image)].append(image)
    return list(groups.values())


def _by_numbers(
    images: Sequence[Image], numbers: Callable[[Image], Sequence[float] | None], tolerance: float
) -> list[list[Image]]:
    groups: list[tuple[Sequence[float] | None, list[Image]]] = []
    for image in images:
        own = numbers(image)
        group = next((g for first, g in groups if _is_close(own, first, tolerance)), None)
        if group is None:
            group = []
            groups.append((own, group))
        group.append(image)
    return [group for _, group in groups]


def _is_close(one: Sequence[float] | None, other: Sequence[float] | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.abs(np.subtract(one, other)).max() <= tolerance)


def _places(images: Sequence[Image]) -> list[list[Image]]:
    axes, spacing = np.asarray(images[0].axes_lps), np.asarray(images[0].spacing_mm)
    normal = np.cross(axes[0], axes[1])
    nearest = _SAME_PLACE * float(spacing.min())
    positions = np.array([image.position_lps for image in images])
    heights = positions @ normal
    places: list[tuple[int, list[Image]]] = []
    for n in np.argsort(heights, kind="stable"):
        for first, place in reversed(places):
            if heights[n] - heights[first] > nearest:
                place = []
                break
            if np.linalg.norm(positions[n] - positions[first]) <= nearest:
                break
        else:
            place = []
        if not place:
            places.append((int(n), place))
        place.append(images[n])
    return [place for _, place in places]


def _varying_labels(places: Sequence[Sequence[Image]]) -> list[str]:
    """The labels with different values at one place, in the order of their importance."""
    names: Counter[str] = Counter()
    for place in places:
        present = dict.fromkeys(name for image in place for name in image.labels)
        for name in present:
            names[name] += len({image.labels.get(name) for image in place}) > 1
    return [name for name in names if names[name]]


def _by_value(images: Sequence[Image], names: Sequence[str]) -> list[list[Image]]:
    groups: dict[tuple[str, ...], list[Image]] = defaultdict(list)
    for image in images:
        groups[tuple(image.labels.get(name, "") for name in names)].append(image)
    return [groups[key] for key in sorted(groups, key=lambda k: [_sortable(v) for v in k])]


def _by_rank(places: Sequence[Sequence[Image]], name: str) -> list[list[Image]]:
    """The first, second … image of each place by a label's value; none if values are equal."""
    ranked = []
    for place in places:
        values = [_sortable(image.labels.get(name, "")) for image in place]
        if len(set(values)) < len(values):
            return []
        ranked.append([place[n] for n in sorted(range(len(place)), key=values.__getitem__)])
    return [list(part) for part in zip(*ranked, strict=True)]


def _by_order(images: Sequence[Image], places: Sequence[Sequence[Image]]) -> list[list[Image]]:
    """Volume after volume, or place after place, by instance number; none if neither holds."""
    place_of = {id(image): n for n, place in enumerate(places) for image in place}
    ordered = sorted(images, key=lambda image: image.order)
    count, most = len(places), len(places[0])
    blocks = [ordered[n * count : (n + 1) * count] for n in range(most)]
    if all(len({place_of[id(image)] for image in block}) == count for block in blocks):
        return blocks
    turns = [ordered[n * most : (n + 1) * most] for n in range(count)]
    if all(len({place_of[id(image)] for image in turn}) == 1 for turn in turns):
        return [list(part) for part in zip(*turns, strict=True)]
    return []


def _sortable(text: str) -> tuple[tuple[float, str], ...]:
    """Numbers by value, then texts."""
    parts = []
    for part in text.split("\\"):
        try:
            parts.append((float(part), ""))
        except ValueError:
            parts.append((np.inf, part))
    return tuple(parts)
