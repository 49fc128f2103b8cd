"""The numbers of a comparison of models: agreement with a reference, and with one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MedSegFMError
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ..segments.model_voxels import ModelVoxels
from ..segments.reference import ReferenceSegment
from .background_jobs import BackgroundJobs, agreement_of, surface_agreement_of, volume_ml
from .consensus import consensus_of, disagreement_of
from .results import around

# The numbers of a result against a reference.
_AGAINST = ("dice", "surface dice")


class Scoring:
    """Scores for each object, computed as results come; what is not there yet is None.

    references: for each label the segment that results are measured against.
    faults: for each label why its reference cannot be used, or what was done to it.
    """

    def __init__(self) -> None:
        self.jobs = BackgroundJobs()
        self._geometry: Geometry | None = None
        self._labels: tuple[int, ...] = ()
        self.references: dict[int, ReferenceSegment] = {}
        self.clear()

    @property
    def is_busy(self) -> bool:
        """Whether a number is still being computed."""
        return self.jobs.is_busy

    def begin(self, geometry: Geometry, labels: Sequence[int]) -> None:
        """Score objects of these labels on this grid; the references of before stay chosen."""
        self.clear()
        self._geometry, self._labels = geometry, tuple(labels)

    def clear(self) -> None:
        """Forget all results."""
        self.jobs.clear()
        self._labels = ()
        self._masks: dict[str, Mapping[int, ModelVoxels]] = {}
        self._values: dict[tuple[Any, ...], Any] = {}
        # What a reference was like when it was read; None: it is to be read anew.
        self._stamps: dict[int, tuple[Any, ...] | None] = {}
        self._reference_masks: dict[int, ModelVoxels] = {}
        self.faults: dict[int, str] = {}

    def close(self) -> None:
        """The program goes."""
        self.jobs.close()

    def add(self, model: str, masks: Mapping[int, ModelVoxels]) -> None:
        """Score a model's answers against the reference and against all others."""
        geometry = self._geometry
        assert geometry is not None, "a comparison has begun"
        self._masks[model] = masks
        for label in self._labels:
            mask = masks.get(label)
            self.jobs.put(("volume", label, model), volume_ml, mask, geometry)
            for other, theirs in self._masks.items():
                if other != model:
                    key = ("agreement", label, frozenset((model, other)))
                    self.jobs.put(key, agreement_of, mask, theirs.get(label))
            if label in self._reference_masks:
                self._measure(label, model)

    def use_reference(self, label: int, reference: ReferenceSegment | None) -> None:
        """Measure an object against this segment; None: against none."""
        if reference is None:
            self.references.pop(label, None)
        else:
            self.references[label] = reference
        self._stamps[label] = None

    def poll(self) -> bool:
        """Follow what is computed, and edits of the references; whether anything is new."""
        followed = [self._follow(label) for label in self._labels]
        done = self.jobs.poll()
        for key, value in done:
            self._values[key] = value  # type: ignore[index]
        return bool(done) or any(followed)

    def volume(self, label: int, model: str) -> float | None:
        """Millilitres of a model's object."""
        return self._value("volume", label, model)

    def dice(self, label: int, model: str) -> float | None:
        """Dice against the reference."""
        return self._value("dice", label, model)

    def surface_dice(self, label: int, model: str) -> float | None:
        """Surface Dice against the reference, at `background_jobs.TOLERANCE_MM`."""
        return self._value("surface dice", label, model)

    def agreement(self, label: int, first: str, second: str) -> float | None:
        """Dice between two models."""
        return self._value("agreement", label, frozenset((first, second)))

    def mean_agreement(self, label: int, model: str) -> float | None:
        """The mean Dice of a model with each other one."""
        found = [self.agreement(label, model, other) for other in self._masks if other != model]
        known = [score for score in found if score is not None]
        return sum(known) / len(known) if known and len(known) == len(found) else None

    def ask_consensus(self, label: int, method: str) -> None:
        """Compute the consensus of all models on an object: "staple" or "majority"."""
        masks = [found.get(label) for found in self._masks.values()]
        self.jobs.put(("consensus", label, method), consensus_of, masks, method)

    def consensus(self, label: int, method: str) -> ModelVoxels | None:
        """The consensus that was asked for, once; None while it is computed.

        Raises MaskError where it holds no voxel or there are fewer than two results.
        """
        found = self._values.pop(("consensus", label, method), None)
        if isinstance(found, MedSegFMError):
            raise found
        return found  # type: ignore[no-any-return]

    def disagreement(self, label: int) -> tuple[Region, Any] | None:
        """Where the models disagree on an object, float32 on a region; None with fewer than two.

        Also None while it is computed.
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
        found = self._values.get(key)
        return found if isinstance(found, float) else None

    def _follow(self, label: int) -> bool:
        """Read a reference that was chosen or edited since; whether it was."""
        reference = self.references.get(label)
        stamp = () if reference is None else (id(reference), *reference.stamp())
        if self._stamps.get(label, ()) == stamp:
            return False
        self._stamps[label] = stamp
        self._reference_masks.pop(label, None)
        self.faults.pop(label, None)
        for key in [(name, label, model) for name in _AGAINST for model in self._masks]:
            # Also what is still being computed against the reference as it was.
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
                    f"{reference.title} stands on another grid and was resampled to the volume's."
                )
            for model in self._masks:
                self._measure(label, model)
        return True

    def _measure(self, label: int, model: str) -> None:
        reference, mask = self._reference_masks[label], self._masks[model].get(label)
        self.jobs.put(("dice", label, model), agreement_of, reference, mask)
        self.jobs.put(
            ("surface dice", label, model), surface_agreement_of, reference, mask, self._geometry
        )
