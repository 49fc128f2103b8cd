"""The model without weights: location, appearance and a random walker; see the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of, parts_of
from ...prompts.mask import Mask
from ...prompts.mask_voxels import StartVoxels
from ...prompts.types import Prompt, latest_start
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, ModelCard, Prediction, RegionRule
from ...system.device import require_cpu
from ...volumes.pooling import Floats
from ...volumes.region import Region, Shape, shape_triple
from ...volumes.volume import Volume
from .flood_window import flood_region
from .settings import Settings
from .solver import PREPARED_BYTES_PER_CELL, PreparedBox, prepare, solve

CARD = ModelCard(
    name="randomwalk",
    title="Random walker",
    summary="Random-walker segmentation from intensity, texture and location; no weights.",
    prompts=("box", "point", "scribble", "lasso", "mask"),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence=None,
    region_rule=RegionRule(
        margin_voxels=4, margin_fraction=0.25, click_radius_voxels=64, shared=False
    ),
    # Growth over a box and five clicks, with their predictions stored: 157, 213, 431 and 1114 MB
    # for regions of 48, 96, 160 and 256 voxels a side (Testing/benchmarks/memory.py).
    base_bytes=155_000_000,
    bytes_per_voxel=60,
    cpu_only=True,
    starts_from="prior",
)

# The logit of voxels of the region that are too far from the box to be processed.
_FAR_LOGIT = -8.0


# The prepared boxes that an encoding stores, the latest ones.
_BOXES_KEPT = 2

_Key = tuple[Region, Region, Settings, Mask | None]


@dataclass(frozen=True, eq=False)
class RandomWalkEncoding(Encoding):
    """The voxels of a region, and the latest boxes prepared in it.

    Attributes:
        volume: The whole volume.
        prepared_boxes: By crop, box, settings and the mask to start from.
    """

    volume: Volume
    prepared_boxes: dict[_Key, PreparedBox] = field(default_factory=dict)


def create(device: str = "auto") -> RandomWalkSegmenter:
    """Create the model; it runs on the CPU only."""
    require_cpu(CARD.name, device)
    return RandomWalkSegmenter(Settings())


class RandomWalkSegmenter:
    """The `Segmenter` around the random walker."""

    card = CARD
    classes: tuple[str, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def encode(
        self, volume: Volume, region: Region | None, progress: Progress
    ) -> RandomWalkEncoding:
        """Store the region; features depend on the box and are computed when it is first used."""
        region = region or Region.whole(volume.geometry.shape_kji)
        progress(1.0, "Preparing the volume")
        cells = min(region.size, self._settings.most_cells)
        nbytes = _BOXES_KEPT * PREPARED_BYTES_PER_CELL * cells
        return RandomWalkEncoding(volume.geometry, region, nbytes, volume)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object within its boxes, around its mask to start from or around its marks.

        Every marked voxel gets the label of its mark.

        Raises:
            PromptError: For a prompt outside the volume and for a text.
        """
        if not isinstance(encoding, RandomWalkEncoding):
            raise TypeError(f"randomwalk cannot predict from a {type(encoding).__name__}.")
        CARD.check_takes(prompts)
        region = encoding.region
        marks = to_voxels(prompts, encoding.geometry).within(region)
        progress(0.0, "Reading the prompts")
        start = latest_start(prompts)
        if start is not None and marks.start is not None:
            crop, logits = self._start(encoding, marks.start, start, marks, progress)
        elif marks.boxes:
            box = Region.enclosing(marks.boxes)
            crop, logits = self._solve(encoding, box, marks, self._settings, progress)
        elif len(marks.foreground_kji):
            crop, logits = self._grow(encoding, marks, progress)
        else:
            crop = Region.whole(region.shape_kji)
            logits = np.full(region.shape_kji, _FAR_LOGIT, dtype=np.float32)
        if crop.shape_kji != region.shape_kji:
            whole = np.full(region.shape_kji, _FAR_LOGIT, dtype=np.float32)
            whole[crop.slices] = logits
            logits = whole
        enforce_marks(logits, marks, self._settings.click_logit)
        progress(1.0, "Predicting the mask")
        return Prediction(encoding.geometry, region.start_kji, logits)

    def _solve(
        self,
        encoding: RandomWalkEncoding,
        box: Region,
        marks: VoxelMarks,
        settings: Settings,
        progress: Progress,
        start: tuple[StartVoxels, Mask] | None = None,
    ) -> tuple[Region, Floats]:
        """The crop around a box, in voxels of the region, and its logits."""
        shape = encoding.region.shape_kji
        rule = CARD.region_rule
        crop = box.grown(rule.margin(box), shape)
        # A mark outside the box means that the object extends there.
        if len(marks.foreground_kji):
            marked = Region.around(marks.foreground_kji)
            crop = crop.union(marked.grown([rule.margin_voxels] * 3, shape))
        key = (crop, box, settings, start[1] if start else None)
        if key not in encoding.prepared_boxes:
            voxels = encoding.volume.crop(crop.shifted(encoding.region.start_kji)).array_kji
            prepared = prepare(
                voxels,
                encoding.geometry.spacing_kji_mm,
                box.relative_to(crop),
                settings,
                part_of(progress, 0, 0.5),
                start[0].on(crop) if start else None,
            )
            while len(encoding.prepared_boxes) >= _BOXES_KEPT:
                del encoding.prepared_boxes[next(iter(encoding.prepared_boxes))]
            encoding.prepared_boxes[key] = prepared
        return crop, solve(
            encoding.prepared_boxes[key], marks.within(crop), part_of(progress, 0.5, 1)
        )

    def _start(
        self,
        encoding: RandomWalkEncoding,
        voxels: StartVoxels,
        mask: Mask,
        marks: VoxelMarks,
        progress: Progress,
    ) -> tuple[Region, Floats]:
        """Correct a mask: it takes the place of the prior, and nothing is known of how it fills it.

        Boxes and marks beyond the mask widen the box around it.
        """
        settings = replace(
            self._settings, occupancy_weight=0.0, face_weight=0.0, finds_sparse=False
        )
        box = Region.enclosing([voxels.region, *marks.boxes])
        if len(marks.foreground_kji):
            box = box.union(Region.around(marks.foreground_kji))
        return self._solve(encoding, box, marks, settings, progress, (voxels, mask))

    def _grow(
        self, encoding: RandomWalkEncoding, marks: VoxelMarks, progress: Progress
    ) -> tuple[Region, Floats]:
        """Segment without a box: within a window from `flood_region` that is treated as a box.

        The window is not tight around the object, so there is no prior on how much of it the object
        fills, and only the marks count. It grows while the object fills its faces.
        """
        settings = replace(
            self._settings,
            occupancy_weight=0.0,
            face_weight=0.0,
            renewal_reach_half_boxes=0.0,
            finds_sparse=False,
        )
        shape = encoding.region.shape_kji
        spacing = np.array(encoding.geometry.spacing_kji_mm)
        reach = np.maximum(np.round(settings.window_half_voxels * spacing.min() / spacing), 1)
        voxels = encoding.volume.crop(encoding.region).array_kji
        window = flood_region(
            voxels,
            marks,
            shape_triple(reach.astype(int).tolist()),
        )
        for share in parts_of(progress, settings.window_growths):
            crop, logits = self._solve(encoding, window, marks, settings, share)
            mask = logits[window.relative_to(crop).slices] > 0
            grown = _grown(window, mask, settings.window_touch, shape)
            if grown == window:
                break
            window = grown
        return crop, logits


def _grown(window: Region, mask_kji: NDArray[np.bool_], touch: float, shape_kji: Shape) -> Region:
    """The window, a quarter wider on each side whose face the mask covers by more than `touch`."""
    start, stop = list(window.start_kji), list(window.stop_kji)
    for axis, width in enumerate(window.shape_kji):
        step = max(1, round(0.25 * width))
        if np.take(mask_kji, 0, axis).mean() > touch:
            start[axis] = max(0, start[axis] - step)
        if np.take(mask_kji, -1, axis).mean() > touch:
            stop[axis] = min(shape_kji[axis], stop[axis] + step)
    return Region(shape_triple(start), shape_triple(stop))
