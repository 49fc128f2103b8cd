"""Several models on the same prompts, and what the user does with their results.

    comparison = ModelComparison(logic)
    comparison.start(["ensam", "randomwalk"])
    while comparison.is_running:       # from the timer that pumps the logic
        logic.pump()
        comparison.pump()

Nothing is written to the user's segments before `use_result` or `ask_consensus`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import MaskError, MedSegFMError, PromptError, VolumeError
from ...prompts.prompt_list import PromptList
from ...prompts.voxels import to_voxels
from ..logic import SegmentationLogic
from .requests import FEWEST, ModelRequests, Subject, check_models
from .results import ModelResult
from .scoring import Scoring

# The ways to a consensus, and what the user calls them.
METHODS = {"staple": "STAPLE", "majority": "majority"}


class ModelComparison:
    """A comparison whose results can be used, alone or together.

    Args:
        logic: The user's work.
        own_options: Gives the user's own values of a model's private options, such as its server,
            by the model's name; None for no such values.

    Attributes:
        scoring: The numbers that are computed on the results.
    """

    def __init__(
        self,
        logic: SegmentationLogic,
        own_options: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        self._logic = logic
        self.scoring = Scoring()
        self._requests = ModelRequests(logic.requests.background, self.scoring.add)
        if own_options is not None:
            self._requests.own_options = own_options
        self._consensuses: set[tuple[int, str]] = set()
        self._complaints: list[str] = []

    @property
    def subject(self) -> Subject | None:
        """The subject of the comparison; None if there is none."""
        return self._requests.subject

    @property
    def results(self) -> tuple[ModelResult, ...]:
        """The result of each model, in the order they were named."""
        return self._requests.results

    @property
    def is_open(self) -> bool:
        """Whether there is a comparison, running or done."""
        return self._requests.subject is not None

    @property
    def is_running(self) -> bool:
        """Whether a model runs or waits for its turn."""
        return self._requests.is_running

    @property
    def is_computing(self) -> bool:
        """Whether a model runs, or a number or a consensus is computed."""
        return self.is_running or self.scoring.is_busy or bool(self._consensuses)

    @property
    def running(self) -> ModelResult | None:
        """The model that runs now; None if none does."""
        return self._requests.running

    @property
    def phrase(self) -> str:
        """A phrase for the model's present work."""
        return self._requests.phrase

    @property
    def fraction(self) -> float:
        """How far the whole comparison is, 0 to 1."""
        return self._requests.fraction

    def start(
        self,
        models: Sequence[str],
        prompts: PromptList | None = None,
        device: str = "auto",
        consistency: bool = False,
    ) -> None:
        """Ask each model for the same prompts, in place of an earlier comparison.

        Args:
            models: Two to six models, each by its name or with options, as `model_choice` reads
                them: "sam?size=1024".
            prompts: The prompts; None for those of the user's work.
            device: Where the models run.
            consistency: Whether the agreement of each model's planes is measured after its answer,
                which takes up to three times as long.

        Raises:
            VolumeError: If no volume is chosen.
            PromptError: If there is no prompt, or one is outside the volume.
            ModelError: If a model is unknown, or there are too few or too many.
        """
        logic = self._logic
        check_models(models)
        if logic.volume is None:
            raise VolumeError("No volume is chosen; load or choose one first.")
        given = logic.prompts if prompts is None else prompts
        if not given.entries:
            raise PromptError("There are no prompts to compare models on; draw a box or click.")
        # Raises for a prompt outside the volume.
        to_voxels([prompt for _, prompt in given.entries], logic.volume.geometry)
        self.close()
        subject = Subject(logic.volume_node, logic.volume, given, device, consistency)
        self.scoring.begin(logic.volume.geometry, subject.labels)
        self._requests.start(models, subject)

    def pump(self) -> bool:
        """Take what came since the last call; returns whether anything has changed."""
        subject = self.subject
        if subject is None:
            return False
        before = self._requests.version
        if self._logic.volume is not subject.volume:
            self.close()
            return True
        self._requests.poll()
        if self.scoring.poll():
            self._requests.changed()
        for label, method in list(self._consensuses):
            self._add_consensus(subject, label, method)
        return self._requests.version != before

    def cancel(self) -> None:
        """Ask no further model; the results so far stay."""
        self._requests.cancel()

    def close(self) -> None:
        """Let go of the comparison and its results; a table in the scene stays there."""
        self._consensuses.clear()
        if self.is_open:
            self.scoring.clear()
            self._requests.clear()

    def shut_down(self) -> None:
        """Let go of everything: the program ends."""
        self.close()
        self.scoring.close()

    def result(self, model: str) -> ModelResult:
        """A model's result.

        Raises:
            ModelError: If the model is not among those compared.
        """
        return self._requests.result(model)

    def use_result(self, model: str, label: int) -> int:
        """Replace the user's segment of an object by a model's result.

        The segment gets exactly these voxels, as far as locks and masking allow; the prompts stay,
        and undo restores it. An object that the user's work does not have is begun.

        Args:
            model: The model.
            label: The object's label in the comparison.

        Returns:
            The object's label in the user's work.

        Raises:
            MaskError: If the result is empty or the segment is locked.
        """
        found, subject = self.result(model), self.subject
        assert subject is not None, "there is a result"
        name = subject.prompts.name(label)
        mask = found.masks.get(label)
        if mask is None:
            raise MaskError(f"{found.title} has no voxels for {name}; use another result.")
        known = self._known_label(label, name)
        own = self._logic.objects.add(name) if known is None else known
        self._logic.objects.replace(own, mask)
        return own

    def ask_consensus(self, label: int, method: str) -> None:
        """Compute the consensus of the answers so far on an object, and add it as a segment.

        It comes with a later `pump`; the user's other segments stay as they are.

        Args:
            label: The object's label in the comparison.
            method: "staple" or "majority".

        Raises:
            MaskError: If fewer than two models have answered.
        """
        answered = [r for r in self.results if r.cost is not None]
        if len(answered) < FEWEST:
            raise MaskError(
                f"{len(answered)} of the models have answered; a consensus needs {FEWEST} or more."
            )
        self.scoring.ask_consensus(label, method)
        self._consensuses.add((label, method))

    def complaints(self) -> list[str]:
        """Sentences about what went wrong since the last call."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def own_segment(self, label: int) -> tuple[Any, str] | None:
        """The segmentation node and the segment that an object has in the user's work."""
        if self.subject is None:
            return None
        own = self._known_label(label, self.subject.prompts.name(label))
        segments = self._logic.segments
        if own is None or not segments.is_there(own):
            return None
        return segments.node, segments.ids[own]

    def _add_consensus(self, subject: Subject, label: int, method: str) -> None:
        """Add a consensus once it is computed, or note why there is none."""
        try:
            mask = self.scoring.consensus(label, method)
            if mask is None:
                return
            title = f"{subject.prompts.name(label)} consensus ({METHODS[method]})"
            self._logic.objects.add_segment(title, mask)
        except MedSegFMError as error:
            self._complaints.append(str(error))
        self._consensuses.discard((label, method))
        self._requests.changed()

    def _known_label(self, label: int, name: str) -> int | None:
        """The object of the user's work with this label and name, otherwise with this name."""
        objects = self._logic.prompts.objects
        if (label, name) in objects:
            return label
        return next((known for known, other in objects if other == name), None)
