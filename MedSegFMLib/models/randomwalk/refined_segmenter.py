"""Any promptable model, with each prediction refined by the random walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...progress import Progress, part_of
from ...prompts.types import Prompt
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, Prediction, Segmenter
from ...session.looks import RegionChooser
from ...volumes.masks import bounding_box
from ...volumes.region import Region
from ...volumes.volume import Volume
from .prior_solver import solve_from_prior
from .settings import Settings
from .solver import PREPARED_BYTES_PER_CELL, PreparedCrop, prepare_crop


@dataclass(frozen=True, eq=False)
class RefinedEncoding(Encoding):
    """The model's encoding of a region, and the crop prepared for the random walk.

    Attributes:
        of_model: the encoding.
        volume: the whole volume.
        crops: the latest prepared crop, by box in voxels of the region and settings.
    """

    of_model: Encoding
    volume: Volume
    crops: dict[tuple[Region, Settings], PreparedCrop] = field(default_factory=dict)


class RefinedSegmenter:
    """The `Segmenter` whose predictions are those of another one, refined.

    Args:
        model: the model.
        click_logit: a marked voxel gets at least this logit in the mark's direction.
        settings: the settings of the random walk.
    """

    def __init__(
        self, model: Segmenter, click_logit: float, settings: Settings | None = None
    ) -> None:
        self.model = model
        self.card = model.card
        self.classes = model.classes
        self._click_logit = click_logit
        self._settings = settings or replace(Settings(), most_cells=Settings.network_most_cells)

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        """The choice of a model that makes one; see `session.looks.RegionChooser`."""
        if not isinstance(self.model, RegionChooser):
            raise TypeError(f"{self.card.title} does not choose regions.")
        return self.model.choose_region(volume, prompts, mark, most_voxels, progress)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> RefinedEncoding:
        """See `Segmenter.encode`."""
        encoding = self.model.encode(volume, region, progress)
        cells = min(encoding.region.size, self._settings.most_cells)
        nbytes = encoding.nbytes + PREPARED_BYTES_PER_CELL * cells
        return RefinedEncoding(encoding.geometry, encoding.region, nbytes, encoding, volume)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """See `Segmenter.predict`; every marked voxel gets the label of its mark."""
        if not isinstance(encoding, RefinedEncoding):
            raise TypeError(
                f"{self.card.title} cannot predict from a {type(encoding).__name__} of a model."
            )
        share = part_of(progress, 0, 0.6)
        prediction = self.model.predict(encoding.of_model, prompts, previous, share)
        if prediction is previous:
            return prediction
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        logits = self._refined(encoding, prediction.logits_kji, marks, part_of(progress, 0.6, 1))
        enforce_marks(logits, marks, self._click_logit)
        progress(1.0, "Predicting the mask")
        return replace(prediction, logits_kji=logits)

    def _refined(
        self, encoding: RefinedEncoding, logits: Logits, marks: VoxelMarks, progress: Progress
    ) -> Logits:
        box = _box(logits, marks)
        if box is None:
            return logits.copy()
        # How much of a box is filled says nothing if the box is around the prediction.
        settings = replace(self._settings, finds_sparse=bool(marks.boxes))
        crop = encoding.crops.get((box, settings))
        if crop is None:
            progress(0.0, "Computing features")
            crop = prepare_crop(
                encoding.volume.crop(encoding.region).array_kji,
                encoding.geometry.spacing_kji_mm,
                box,
                settings,
            )
            encoding.crops.clear()
            encoding.crops[box, settings] = crop
        return solve_from_prior(crop, logits, marks, part_of(progress, 0.4, 1))


def _box(logits: Logits, marks: VoxelMarks) -> Region | None:
    """The box around the prompted boxes, else around the prediction; None if that is empty."""
    if marks.boxes:
        return Region.enclosing(marks.boxes)
    found = bounding_box(logits > 0)
    return None if found is None else Region.from_slices(found)
