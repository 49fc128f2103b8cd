"""The models of a comparison, asked for the same prompts in turn; their answers are kept apart.

The worker is that of the user's work, which asks first: see `client_sharing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import ModelError, PromptError, VolumeError
from ...prompts.prompt_list import PromptList
from ...registry import card
from ...volumes.volume import Volume
from ...worker.events import Failed, Noted, Predicted, Progressed, Request
from ..logic import SegmentationLogic
from ..requests.background import RequestEvent
from .results import ModelResult, Stage, prompts_for
from .scoring import Scoring

FEWEST, MOST = 2, 6


@dataclass(frozen=True, eq=False)
class Subject:
    """What the models are compared on: the voxels as they stood, and what was asked."""

    volume_node: Any
    volume: Volume
    prompts: PromptList
    device: str
    consistency: bool

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of the objects that have prompts."""
        given = {label for label, _ in self.prompts.entries}
        return tuple(label for label in self.prompts.labels if label in given)


class ModelAsking:
    """Asks the models of one comparison at a time.

    subject: what is compared; None: nothing is.
    results: what each model made of the prompts, in the order they were named.
    phrase: what the model that is being asked is doing.
    scoring: the numbers that are computed on them.
    version: a number that grows with each change that is worth showing.
    """

    def __init__(self, logic: SegmentationLogic) -> None:
        self._logic = logic
        self.scoring = Scoring()
        self.version = 0
        self.subject: Subject | None = None
        self.results: tuple[ModelResult, ...] = ()
        self.phrase = ""
        self._measures_planes = False
        self._fraction = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is a comparison, running or done."""
        return self.subject is not None

    @property
    def is_running(self) -> bool:
        """Whether a model is being asked or waits for its turn."""
        return any(r.stage in (Stage.WAITING, Stage.RUNNING) for r in self.results)

    @property
    def running(self) -> ModelResult | None:
        """The model that is being asked now."""
        return next((r for r in self.results if r.stage is Stage.RUNNING), None)

    @property
    def fraction(self) -> float:
        """How far the whole comparison is, 0 to 1."""
        ended = sum(r.stage not in (Stage.WAITING, Stage.RUNNING) for r in self.results)
        return min(1.0, (ended + self._fraction) / max(len(self.results), 1))

    def start(
        self,
        models: Sequence[str],
        prompts: PromptList | None = None,
        device: str = "auto",
        consistency: bool = False,
    ) -> None:
        """Ask each model for the same prompts, in place of an earlier comparison.

        prompts: None for those of the user's work as they stand. consistency: whether each model
        is asked, after its answer, how well its planes agree too, which takes up to three times as
        long.

        Raises VolumeError where no volume is chosen, PromptError where there is no prompt or one
        is outside the volume, ModelError for an unknown model or fewer than two or more than six.
        """
        logic = self._logic
        _check_models(models)
        if logic.volume is None:
            raise VolumeError("No volume is chosen; load or choose one first.")
        given = logic.prompts if prompts is None else prompts
        if not given.entries:
            raise PromptError("There are no prompts to compare models on; draw a box or click.")
        logic.check_inside(given)
        self.close()
        self.subject = Subject(logic.volume_node, logic.volume, given, device, consistency)
        self.scoring.begin(logic.volume.geometry, self.subject.labels)
        self.results = tuple(ModelResult(name, card(name).title) for name in models)
        self._next()

    def pump(self) -> bool:
        """Take what came since the last call; whether anything is other than before."""
        if self.subject is None:
            return False
        before = self.version
        if self._logic.volume is not self.subject.volume:
            self.close()
            return True
        for event in self._logic.requests.background.poll():
            self._take(event)
        if self.scoring.poll():
            self._changed()
        return self.version != before

    def cancel(self) -> None:
        """Ask no further model; what is there stays."""
        self._logic.requests.background.drop()
        self.results = tuple(
            replace(r, stage=Stage.DONE if r.cost is not None else Stage.STOPPED)
            if r.stage in (Stage.WAITING, Stage.RUNNING)
            else r
            for r in self.results
        )
        self._changed()

    def close(self) -> None:
        """Let go of the comparison and its results; a table in the scene stays there."""
        if self.subject is not None:
            self._logic.requests.background.drop()
            self.scoring.clear()
            self.subject, self.results = None, ()
            self._changed()

    def shut_down(self) -> None:
        """The program goes."""
        self.close()
        self.scoring.close()

    def result(self, model: str) -> ModelResult:
        """A model's result; ModelError where it is not among those compared."""
        for found in self.results:
            if found.model == model:
                return found
        raise ModelError(f"The model {model} is not compared; choose one of those that are.")

    def _changed(self) -> None:
        self.version += 1

    def _next(self) -> None:
        """Ask the next model that can be asked."""
        assert self.subject is not None, "there is a comparison"
        self._changed()
        for found in self.results:
            if found.stage is not Stage.WAITING:
                continue
            try:
                prompts = prompts_for(card(found.model), self.subject.prompts)
            except PromptError as error:
                self._put(replace(found, stage=Stage.FAILED, sentence=str(error)))
                continue
            self._put(replace(found, stage=Stage.RUNNING))
            self._ask(found.model, prompts, planes=False)
            return

    def _ask(self, model: str, prompts: PromptList, planes: bool) -> None:
        assert self.subject is not None, "there is a comparison"
        self._measures_planes, self._fraction = planes, 0.0
        self._logic.requests.background.request(
            Request(model, prompts, self.subject.device, consistency=planes, afresh=not planes)
        )

    def _take(self, event: RequestEvent) -> None:
        found = self.running
        if found is None or self.subject is None:
            return
        match event:
            case Progressed(_, fraction, phrase, _):
                self._fraction = fraction
                self.phrase = phrase
                self._changed()
            case Noted(_, sentence):
                self._put(found.noted(sentence))
            case Predicted() if self._measures_planes:
                self._end(replace(found.compared(event), stage=Stage.DONE))
            case Predicted() if self.subject.consistency:
                self._answer(found.answered(event))
                self._ask(found.model, prompts_for(card(found.model), self.subject.prompts), True)
            case Predicted():
                self._answer(found.answered(event))
                self._end(replace(self.result(found.model), stage=Stage.DONE))
            case Failed(_, error, _) if self._measures_planes:
                self._end(replace(found.noted(str(error)), stage=Stage.DONE))
            case Failed(_, error, _):
                self._end(replace(found, stage=Stage.FAILED, sentence=str(error)))

    def _answer(self, found: ModelResult) -> None:
        self._put(found)
        self.scoring.add(found.model, found.masks)
        self._changed()

    def _end(self, found: ModelResult) -> None:
        self._put(found)
        self._fraction = 0.0
        self._next()

    def _put(self, found: ModelResult) -> None:
        self.results = tuple(found if r.model == found.model else r for r in self.results)


def _check_models(models: Sequence[str]) -> None:
    for name in models:
        card(name)
    if len(set(models)) != len(models) or not FEWEST <= len(models) <= MOST:
        raise ModelError(
            f"{len(models)} models are chosen ({', '.join(models) or 'none'}); choose {FEWEST} to "
            f"{MOST} different ones."
        )
