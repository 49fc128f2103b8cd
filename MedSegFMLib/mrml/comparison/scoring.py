"""The numbers of a comparison of models, against a reference and between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MedSegFMError
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ..segments.model_voxels import ModelVoxels
from ..segments.reference import ReferenceSegment
from .background_jobs import BackgroundJobs, dice_of, reference_score_of, score_of
from .columns import COLUMNS
from .consensus import consensus_of, disagreement_of
from .results import around


class Scoring:
    """The scores of each object, computed in the background as results arrive.

    A number that is not computed yet is None.

    Attributes:
        references: for each label the segment that results are compared with.
        faults: for each label why its reference cannot be used, or that it was resampled.
    """

    def __init__(self) -> None:
        self.jobs = BackgroundJobs()
        self._geometry: Geometry | None = None
        self._labels: tuple[int, ...] = ()
        self.references: dict[int, ReferenceSegment] = {}
        self.clear()

    @property
    def is_busy(self) -> bool:
        """Whether a number is being computed."""
        return self.jobs.is_busy

    def begin(self, geometry: Geometry, labels: Sequence[int]) -> None:
        """Start to score the objects of these labels on a grid; the references stay selected."""
        self.clear()
        self._geometry, self._labels = geometry, tuple(labels)

    def clear(self) -> None:
        """Drop all results."""
        self.jobs.clear()
        self._labels = ()
        self._masks: dict[str, Mapping[int, ModelVoxels]] = {}
        self._values: dict[tuple[Any, ...], Any] = {}
        # The state of a reference when it was read; None: read it again.
        self._stamps: dict[int, tuple[Any, ...] | None] = {}
        self._reference_masks: dict[int, ModelVoxels] = {}
        self.faults: dict[int, str] = {}

    def close(self) -> None:
        """End the thread."""
        self.jobs.close()

    def add(self, model: str, masks: Mapping[int, ModelVoxels]) -> None:
        """Score a model's masks by themselves, against the reference, and against other models."""
        geometry = self._geometry
        assert geometry is not None, "a comparison has begun"
        self._masks[model] = masks
        for label in self._labels:
            mask = masks.get(label)
            for column in COLUMNS:
                if column.score is not None:
                    key = column.key, label, model
                    self.jobs.put(key, score_of, column.score, mask, geometry)
            for other, theirs in self._masks.items():
                if other != model:
                    pair = ("pair", label, frozenset((model, other)))
                    self.jobs.put(pair, dice_of, mask, theirs.get(label))
            if label in self._reference_masks:
                self._score_against_reference(label, model)

    def use_reference(self, label: int, reference: ReferenceSegment | None) -> None:
        """Compare an object with this segment; None for no reference."""
        if reference is None:
            self.references.pop(label, None)
        else:
            self.references[label] = reference
        self._stamps[label] = None

    def poll(self) -> bool:
        """Collect finished numbers, read changed references; returns whether anything changed."""
        changed = [self._follow(label) for label in self._labels]
        done = self.jobs.poll()
        for key, value in done:
            self._values[key] = value  # type: ignore[index]
        return bool(done) or any(changed)

    def score(self, key: str, label: int, model: str) -> float | None:
        """The number of a model's object for the column with this key."""
        return self._value(key, label, model)

    def agreement(self, label: int, first: str, second: str) -> float | None:
        """Dice between two models."""
        return self._value("pair", label, frozenset((first, second)))

    def mean_agreement(self, label: int, model: str) -> float | None:
        """The mean Dice of a model with each other model; None until all are computed."""
        scores = [self.agreement(label, model, other) for other in self._masks if other != model]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if known and len(known) == len(scores) else None

    def ask_consensus(self, label: int, method: str) -> None:
        """Compute the consensus of all models on an object: "staple" or "majority"."""
        masks = [found.get(label) for found in self._masks.values()]
        self.jobs.put(("consensus", label, method), consensus_of, masks, method)

    def consensus(self, label: int, method: str) -> ModelVoxels | None:
        """Return the requested consensus, once; None while it is being computed.

        Raises:
            MaskError: it is empty, or there are fewer than two results.
        """
        result = self._values.pop(("consensus", label, method), None)
        if isinstance(result, MedSegFMError):
            raise result
        return result  # type: ignore[no-any-return]

    def disagreement(self, label: int) -> tuple[Region, Any] | None:
        """The disagreement of the models on an object: a region and float32 (K, J, I), 0 to 1.

        None with fewer than two models, and while it is being computed.
        """
        masks = [found.get(label) for found in self._masks.values()]
        region = around([mask for mask in masks if mask is not None])
        if region is None or len(masks) < 2:
            return None
        key = ("disagreement", label, len(masks))
        if key not in self._values:
            self._values[key] = None
            self.jobs.put(key, disagreement_of, masks, region)
        return self._values[key]  # type: ignore[no-any-return]

    def _value(self, *key: Any) -> float | None:
        value = self._values.get(key)
        return value if isinstance(value, float) else None

    def _follow(self, label: int) -> bool:
        """Read the reference again if it was changed; returns whether it was."""
        reference = self.references.get(label)
        stamp = () if reference is None else (id(reference), *reference.stamp())
        if self._stamps.get(label, ()) == stamp:
            return False
        self._stamps[label] = stamp
        self._reference_masks.pop(label, None)
        self.faults.pop(label, None)
        keys = [column.key for column in COLUMNS if column.reference_score is not None]
        for key in [(name, label, model) for name in keys for model in self._masks]:
            # Also jobs that are still running with the earlier reference.
            self.jobs.drop(key)
            self._values.pop(key, None)
        if reference is not None and self._geometry is not None:
            try:
                mask, resampled = reference.read(self._geometry)
            except MedSegFMError as error:
                self.faults[label] = str(error)
                return True
            self._reference_masks[label] = mask
            if resampled:
                self.faults[label] = (
                    f"{reference.title} is on another grid and was resampled to the volume's."
                )
            for model in self._masks:
                self._score_against_reference(label, model)
        return True

    def _score_against_reference(self, label: int, model: str) -> None:
        reference, mask = self._reference_masks[label], self._masks[model].get(label)
        for column in COLUMNS:
            if column.reference_score is not None:
                key, score = (column.key, label, model), column.reference_score
                self.jobs.put(key, reference_score_of, score, reference, mask, self._geometry)
