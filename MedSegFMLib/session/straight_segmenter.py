"""A model on a sheared volume: it works on a grid with right angles, and is answered for here.

Everything around the model (prompts, masks to start from, overlaps, undo) stays on the volume's own
grid, so that what a prompt marks or freezes is decided there, to the voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..progress import Progress
from ..prompts.types import Prompt
from ..prompts.voxels import enforce_marks, to_voxels
from ..segmenter import Encoding, Logits, ModelCard, Prediction, Segmenter
from ..volumes.geometry import Geometry
from ..volumes.region import Region
from ..volumes.right_angles import StraightGrid
from ..volumes.volume import Volume
from .looks import RegionChooser
from .region_of_interest import with_marks

# The logit of marked voxels and beyond a prediction, if the model's own is nearer to 0.
_SURE = 4.0


def with_right_angles(segmenter: Segmenter, geometry: Geometry) -> Segmenter:
    """The model itself for a grid with right angles, or a `StraightSegmenter` for a sheared one."""
    return StraightSegmenter(segmenter, geometry) if geometry.is_sheared else segmenter


@dataclass(frozen=True)
class _StraightEncoding(Encoding):
    """The model's features of the region on the straight grid."""

    inner: Encoding


@dataclass(frozen=True, eq=False, repr=False)
class _StraightPrediction(Prediction):
    """A prediction on the volume's own grid, with the model's answer, from which it continues.

    An answer that is resampled there and back at each step would become ever smoother.
    """

    inner: Prediction = field(kw_only=True)

    @property
    def nbytes(self) -> int:
        """See `Prediction.nbytes`."""
        return super().nbytes + self.inner.nbytes


class StraightSegmenter:
    """A model behind its own interface, for volumes on one sheared grid.

    Regions, predictions and planes are on that grid; the model gets and gives them on its
    `StraightGrid`. Logits and probabilities are interpolated.

    Args:
        segmenter: the model.
        geometry: the sheared grid.
    """

    def __init__(self, segmenter: Segmenter, geometry: Geometry) -> None:
        self._segmenter = segmenter
        self._grid = StraightGrid.of(geometry)
        self._given: Volume | None = None
        self._straightened: Volume | None = None

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._segmenter.card

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's classes."""
        return self._segmenter.classes

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        """The choice of a model that makes one, brought back; see `looks.RegionChooser`."""
        assert isinstance(self._segmenter, RegionChooser), "the card says that it chooses"
        straight = self._straight(volume)
        there = self._segmenter.choose_region(straight, prompts, mark, most_voxels, progress)
        return with_marks(self._grid.region_back(there), [mark], self._grid.own)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        """Encode the region of the straight grid around a region of the volume."""
        progress(0.0, "Straightening the volume")
        there = None if region is None else self._grid.region(region)
        inner = self._segmenter.encode(self._straight(volume), there, progress)
        whole = Region.whole(self._grid.own.shape_kji)
        return _StraightEncoding(self._grid.own, region or whole, inner.nbytes, inner)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """The model's prediction, brought back to the volume's own grid."""
        assert isinstance(encoding, _StraightEncoding), "encodings are those of this object"
        before = None
        if isinstance(previous, _StraightPrediction):
            before = previous.inner
        elif previous is not None:
            region = self._grid.region(previous.region)
            before = self._moved(previous, self._grid.geometry, region)
        answer = self._segmenter.predict(encoding.inner, prompts, before, progress)
        region = self._grid.region_back(answer.region)
        region = region.intersection(encoding.region) or encoding.region
        result = self._moved(answer, self._grid.own, region)
        marks = to_voxels(prompts, self._grid.own).within(region)
        enforce_marks(result.logits_kji, marks, _SURE)
        return _StraightPrediction(
            result.geometry,
            result.offset_kji,
            result.logits_kji,
            result.planes,
            result.question,
            inner=answer,
        )

    def _straight(self, volume: Volume) -> Volume:
        """The volume on the straight grid, made once."""
        if self._straightened is None or self._given is not volume:
            self._given, self._straightened = volume, self._grid.volume(volume)
        return self._straightened

    def _moved(self, prediction: Prediction, grid: Geometry, region: Region) -> Prediction:
        """A prediction on a region of another grid."""
        part = prediction.geometry.crop(prediction.region)

        def moved(array: Logits, outside: float) -> Logits:
            if not self._grid.is_resampled:
                return array[region.relative_to(prediction.region).slices].copy()
            return Volume(array, part).resample(grid.crop(region), outside=outside).array_kji

        outside = min(float(prediction.logits_kji.min()), -_SURE)
        logits = moved(prediction.logits_kji, outside)
        planes = {name: moved(plane, 0.0) for name, plane in prediction.planes.items()}
        return Prediction(grid, region.start_kji, logits, planes, prediction.question)
