"""Segments on one grid, which may overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MaskError
from ...system.names import LARGEST_LABEL
from ...system.suggestions import with_suggestion
from ..geometry import Geometry
from ..masks import bounding_box
from ..region import Region
from ..volume import Volume
from .meanings import Meaning, Rgb, distinct_color, meaning_of
from .vocabulary import match

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Segment:
    """One object of a segmentation.

    Attributes:
        label: its number in label maps, from 1.
        name: its name.
        region: the part of the grid that `mask_kji` covers; nothing is set outside it.
        mask_kji: bool, (k, j, i) of the region.
        color_rgb: red, green and blue from 0 to 1; None for the usual one of its name.
        meaning: what it is; None for what its name says.
        probability_kji: float32, 0 to 1 on the region, if the model gave it; else None.
    """

    label: int
    name: str
    region: Region
    mask_kji: Bools
    color_rgb: Rgb | None = None
    meaning: Meaning | None = None
    probability_kji: NDArray[np.float32] | None = None

    @classmethod
    def from_mask(cls, label: int, name: str, mask_kji: NDArray[Any], **more: Any) -> Segment:
        """A segment of a mask of the whole grid, which is cropped to its voxels."""
        box = bounding_box(mask_kji)
        region = Region((0, 0, 0), (1, 1, 1)) if box is None else Region.from_slices(box)
        return cls(label, name, region, mask_kji[region.slices] != 0, **more)

    @property
    def voxels(self) -> int:
        """The number of voxels."""
        return int(np.count_nonzero(self.mask_kji))

    def on(self, geometry: Geometry) -> Bools:
        """The mask of the whole grid, (K, J, I)."""
        whole = np.zeros(geometry.shape_kji, bool)
        whole[self.region.slices] = self.mask_kji
        return whole

    def overlap(self, other: Segment) -> int:
        """The number of voxels that belong to another segment too."""
        common = self.region.intersection(other.region)
        if common is None:
            return 0
        ours = self.mask_kji[common.relative_to(self.region).slices]
        theirs = other.mask_kji[common.relative_to(other.region).slices]
        return int(np.count_nonzero(ours & theirs))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Segments on one grid, which may overlap.

    Attributes:
        geometry: the grid.
        segments: the segments; their labels are unique.
        ledger: how they were made, as `results.ledger` writes it; empty if unknown.

    Raises:
        MaskError: a label is not from 1 to 65535, or occurs twice.
    """

    geometry: Geometry
    segments: tuple[Segment, ...]
    ledger: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        labels = [segment.label for segment in self.segments]
        if len(set(labels)) < len(labels) or not all(0 < n <= LARGEST_LABEL for n in labels):
            raise MaskError(
                f"The segments have the labels {labels}; each needs one of its own, from 1 to "
                f"{LARGEST_LABEL}."
            )

    @classmethod
    def from_labelmap(cls, volume: Volume, names: Mapping[int, str] | None = None) -> Segmentation:
        """A segment for each label of a label map.

        Args:
            volume: whole numbers, 0 outside.
            names: the names by label; a label without voxels becomes an empty segment.

        Raises:
            MaskError: it is not a label map.
        """
        from scipy.ndimage import find_objects

        array = _whole_numbers(volume.array_kji)
        found = {n: box for n, box in enumerate(find_objects(array), 1) if box is not None}
        given = names or {}
        segments = []
        for label in sorted(found.keys() | given.keys()):
            box = found.get(label, (slice(0, 1),) * 3)
            region = Region.from_slices(box)
            name = given.get(label) or f"Segment_{label}"
            segments.append(Segment(label, name, region, array[region.slices] == label))
        return cls(volume.geometry, tuple(segments))

    @classmethod
    def read(cls, path: Path | str, grid: Geometry | None = None) -> Segmentation:
        """Read a .seg.nrrd, DICOM SEG or RTSTRUCT file, or a label map in any format that is read.

        Args:
            path: the file.
            grid: that of the image whose slices the contours of an RTSTRUCT file are on; None for
                files of this library, which contain it. Other formats ignore it.

        Raises:
            VolumeError: the file cannot be read.
            MaskError: it is not a segmentation.
        """
        from .files import read_segmentation

        return read_segmentation(Path(path), grid)

    def write(self, path: Path | str) -> None:
        """Write a .seg.nrrd file, which may overlap, or a label map, which may not; atomically.

        For DICOM SEG and RTSTRUCT, which need the source images, see `segmentations.dicom_write`
        and `rtstruct_write`.

        Raises:
            OutputError: the ending is not written, or the file cannot be written.
            MaskError: segments overlap, and the format has no layers; see `flattened`.
        """
        from .files import write_segmentation

        write_segmentation(self, Path(path))

    def overlaps(self) -> list[tuple[Segment, Segment, int]]:
        """Each pair of segments with common voxels, in order, and their number."""
        pairs = ((a, b, a.overlap(b)) for a, b in combinations(self.segments, 2))
        return [pair for pair in pairs if pair[2]]

    def labelmap(self) -> Volume:
        """All segments as labels: uint8, or uint16 for labels above 255; of several, the last."""
        largest = max((segment.label for segment in self.segments), default=0)
        array = np.zeros(self.geometry.shape_kji, np.uint8 if largest < 256 else np.uint16)
        for segment in self.segments:
            array[segment.region.slices][segment.mask_kji] = segment.label
        return Volume(array, self.geometry)

    def mapped(self, change: Callable[[Volume], Volume]) -> Segmentation:
        """Each segment's mask after a change to label maps, for instance onto another grid.

        Probabilities are left out.
        """
        geometry, moved = self.geometry, {}
        for layer in layers_of(self.segments):
            changed = change(Segmentation(self.geometry, tuple(layer)).labelmap())
            geometry = changed.geometry
            for segment in layer:
                mask = changed.array_kji == segment.label
                more = {"color_rgb": segment.color_rgb, "meaning": segment.meaning}
                moved[segment.label] = Segment.from_mask(segment.label, segment.name, mask, **more)
        return replace(
            self, geometry=geometry, segments=tuple(moved[s.label] for s in self.segments)
        )

    def segment(self, choice: str | int) -> Segment:
        """The segment with a name or a label; a name counts first, a synonym of it last.

        Raises:
            MaskError: there is none, or several have that name.
        """
        named = [s for s in self.segments if s.name == str(choice)]
        named = named or [s for s in self.segments if s.name.casefold() == str(choice).casefold()]
        found = named or [s for s in self.segments if str(s.label) == str(choice)]
        if not found:
            meant = match(str(choice), [segment.name for segment in self.segments]).found
            found = [self.segments[n] for n in meant]
        if len(found) == 1:
            return found[0]
        if found:
            raise MaskError(
                f"{len(found)} segments are called '{choice}'; choose one by its label: "
                f"{', '.join(str(s.label) for s in found)}."
            )
        listed = ", ".join(f"{s.label} {s.name}" for s in self.segments) or "none"
        wanted = with_suggestion(str(choice), [s.name for s in self.segments])
        raise MaskError(f"There is no segment {wanted}; the segments are {listed}.")

    def with_usual_colors(self) -> Segmentation:
        """With the meaning and the colour that names have, unless they are given."""
        segments = []
        for number, segment in enumerate(self.segments):
            meaning, color = meaning_of(segment.name)
            segments.append(
                replace(
                    segment,
                    meaning=segment.meaning or meaning,
                    color_rgb=segment.color_rgb or color or distinct_color(number),
                )
            )
        return replace(self, segments=tuple(segments))


def layers_of(segments: Sequence[Segment]) -> list[list[Segment]]:
    """The segments in as few groups without overlap as a first fit finds."""
    layers: list[list[Segment]] = []
    for segment in segments:
        for layer in layers:
            if not any(segment.overlap(other) for other in layer):
                layer.append(segment)
                break
        else:
            layers.append([segment])
    return layers


def _whole_numbers(array: NDArray[Any]) -> NDArray[Any]:
    is_whole = array.dtype.kind in "bui" or bool((array == np.rint(array)).all())
    if not is_whole or array.min() < 0 or array.max() > LARGEST_LABEL:
        low, high = array.min(), array.max()
        are_probabilities = low >= 0 and high <= 1
        way = "threshold probabilities first" if are_probabilities else "an image is no label map"
        raise MaskError(
            f"The label map has values from {low:g} to {high:g}; whole numbers from 0 to "
            f"{LARGEST_LABEL} are needed: {way}."
        )
    return array.astype(np.int32, copy=False) if array.dtype.kind in "bf" else array
