"""The image and the labels of a case, read onto one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import CasesError, MaskError, MedSegFMError
from ..volumes.geometry import Geometry
from ..volumes.grids import may_overlap
from ..volumes.right_angles import StraightGrid
from ..volumes.segmentations.files import has_segments
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from .cases import Case
from .challenge_boxes import VoxelBox, read_boxes
from .challenge_npz import is_challenge_file, read_any_image, read_labels, read_spacing


@dataclass(frozen=True)
class LoadedCase:
    """The volumes of a case on one grid.

    Attributes:
        image: the image.
        label: the labels.
        resampled: whether the labels were on another grid.
        boxes: by label, half-open voxel bounds (k, j, i) from an npz file, which may lack some or
            all; None if the image is not an npz file.
        stored: the spacing as stored in an npz file; None if the image is not an npz file.
    """

    image: Volume
    label: Volume
    resampled: bool
    boxes: Mapping[int, VoxelBox] | None = None
    stored: tuple[float, float, float] | None = None

    @property
    def stored_spacing(self) -> tuple[float, float, float]:
        """The three numbers stored in the npz file, or to store for this image: (i, j, k)."""
        return self.stored or self.image.geometry.spacing_ijk_mm


def load_case(case: Case) -> LoadedCase:
    """Read image and labels; labels on another grid are resampled to the image's (nearest voxel).

    A sheared image and its labels are brought to a grid with right angles.

    Raises:
        CasesError: a file cannot be read, the grids do not overlap, or a listed label does not
            occur; the message names the case.
    """
    try:
        loaded = _straightened(_loaded(case))
        loaded.image.intensity_range()
    except MedSegFMError as error:
        raise CasesError(f"Case {case.name}: {error}") from error
    absent = [name for value, name in case.objects if not (loaded.label.array_kji == value).any()]
    if absent:
        raise CasesError(
            f"Case {case.name}: no voxel of {case.label} is labelled {', '.join(absent)}."
        )
    return loaded


def _loaded(case: Case) -> LoadedCase:
    if case.images is not None:
        image = case.images.read()
    else:
        image = read_any_image(case.image, case.spacing_order)
    if is_challenge_file(case.label):
        label = read_labels(case.label, image.geometry)
    else:
        label = _labels(case, image.geometry)
    resampled = not label.geometry.matches(image.geometry)
    if resampled:
        if not may_overlap(label.geometry, image.geometry):
            raise CasesError(
                f"{case.label} and {case.image} do not overlap in the patient; use the label of "
                "this image."
            )
        label = label.resample(image.geometry, order=0)
    if not case.is_npz:
        return LoadedCase(image, label, resampled)
    boxes = read_boxes(case.image, label.array_kji)
    return LoadedCase(image, label, resampled, boxes, read_spacing(case.image))


def _straightened(loaded: LoadedCase) -> LoadedCase:
    """A sheared case on a grid with right angles, on which distances can be measured."""
    grid = StraightGrid.of(loaded.image.geometry)
    if grid.geometry == loaded.image.geometry:
        return loaded
    return replace(
        loaded,
        image=grid.volume(loaded.image),
        label=grid.labels(loaded.label),
        resampled=loaded.resampled or grid.is_resampled,
    )


def _labels(case: Case, grid: Geometry) -> Volume:
    """The label map of a case; of a file with segments, those with the names of its objects."""
    if not has_segments(case.label):
        return Volume.read(case.label)
    segmentation = Segmentation.read(case.label, grid)
    segments = []
    for label, name in case.objects:
        try:
            segments.append(replace(segmentation.segment(name), label=label))
        except MaskError as error:
            raise CasesError(f"{case.label}: {error}") from error
    chosen = replace(segmentation, segments=tuple(segments))
    for one, other, voxels in chosen.overlaps():
        raise CasesError(
            f"{case.label}: '{one.name}' and '{other.name}' overlap in {voxels} voxels, and a case "
            "scores one object in each; list them in two cases."
        )
    return chosen.labelmap()
