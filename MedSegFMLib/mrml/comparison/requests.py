"""The models of a comparison, asked for the same prompts in turn; their answers are kept apart.

The worker is that of the user's work, which goes first: see `requests.request_queue`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import ModelError, PromptError
from ...model_choice import ModelChoice, read_choice
from ...prompts.prompt_list import PromptList
from ...volumes.volume import Volume
from ...worker.events import Failed, Noted, Predicted, Progressed, Request
from ..requests.background import BackgroundRequests, RequestEvent
from ..segments.model_voxels import ModelVoxels
from .results import ModelResult, Stage, prompts_for

FEWEST, MOST = 2, 6


@dataclass(frozen=True, eq=False)
class Subject:
    """The volume and the prompts of a comparison.

    Attributes:
        volume_node: The volume's node.
        volume: Its voxels and grid when the comparison began.
        prompts: The prompts that each model gets.
        device: Where the models run.
        consistency: Whether the agreement of each model's planes is measured too.
    """

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


class ModelRequests:
    """Asks the models of one comparison, one after the other.

    Args:
        background: Takes the requests.
        answered: Called with a model's name and its masks by label when it has answered.

    Attributes:
        own_options: Gives the user's own values of a model's private options, by the model's name.
        subject: What is compared; None if nothing is.
        results: The result of each model, in the order they were named.
        phrase: What the model is doing now.
        version: A number that grows with each change that is worth showing.
    """

    def __init__(
        self,
        background: BackgroundRequests,
        answered: Callable[[str, Mapping[int, ModelVoxels]], None],
    ) -> None:
        self._background = background
        self._answered = answered
        self._measures_planes = False
        self._fraction = 0.0
        self._choices: dict[str, ModelChoice] = {}
        self.own_options: Callable[[str], Mapping[str, str]] = lambda _name: {}
        self.subject: Subject | None = None
        self.results: tuple[ModelResult, ...] = ()
        self.phrase = ""
        self.version = 0

    @property
    def is_running(self) -> bool:
        """Whether a model runs or waits for its turn."""
        return any(r.stage in (Stage.WAITING, Stage.RUNNING) for r in self.results)

    @property
    def running(self) -> ModelResult | None:
        """The model that runs now; None if none does."""
        return next((r for r in self.results if r.stage is Stage.RUNNING), None)

    @property
    def fraction(self) -> float:
        """How far the whole comparison is, 0 to 1."""
        ended = sum(r.stage not in (Stage.WAITING, Stage.RUNNING) for r in self.results)
        return min(1.0, (ended + self._fraction) / max(len(self.results), 1))

    def start(self, models: Sequence[str], subject: Subject) -> None:
        """Ask each model, as `model_choice` reads its text, for the prompts of a subject."""
        self.subject = subject
        self._choices = {choice.text: choice for choice in map(read_choice, models)}
        self.results = tuple(ModelResult(c.text, c.title) for c in self._choices.values())
        self._next()

    def poll(self) -> None:
        """Take the events since the last call."""
        for event in self._background.poll():
            self._take(event)

    def cancel(self) -> None:
        """Ask no further model; the results so far stay."""
        self._background.drop()
        self.results = tuple(
            replace(r, stage=Stage.DONE if r.cost is not None else Stage.STOPPED)
            if r.stage in (Stage.WAITING, Stage.RUNNING)
            else r
            for r in self.results
        )
        self.changed()

    def clear(self) -> None:
        """Let go of the subject and all results."""
        self._background.drop()
        self.subject, self.results = None, ()
        self.changed()

    def result(self, model: str) -> ModelResult:
        """A model's result.

        Raises:
            ModelError: If the model is not among those compared.
        """
        for found in self.results:
            if found.model == model:
                return found
        raise ModelError(f"The model {model} is not compared; choose one of those that are.")

    def changed(self) -> None:
        """Count a change that is worth showing."""
        self.version += 1

    def _next(self) -> None:
        """Ask the next model that takes the prompts."""
        assert self.subject is not None, "there is a comparison"
        self.changed()
        for found in self.results:
            if found.stage is not Stage.WAITING:
                continue
            try:
                prompts = prompts_for(self._choices[found.model].card, self.subject.prompts)
                options = self._options(found.model)
            except (PromptError, ModelError) as error:
                self._put(replace(found, stage=Stage.FAILED, sentence=str(error)))
                continue
            self._put(replace(found, stage=Stage.RUNNING))
            self._ask(found.model, prompts, options, planes=False)
            return

    def _options(self, model: str) -> dict[str, str]:
        """The options of a model, with the user's own.

        Raises:
            ModelError: If a private one is not known here.
        """
        choice = self._choices[model]
        return choice.with_own(self.own_options(choice.name)).all_options

    def _ask(
        self, model: str, prompts: PromptList, options: Mapping[str, str], planes: bool
    ) -> None:
        assert self.subject is not None, "there is a comparison"
        self._measures_planes, self._fraction = planes, 0.0
        self._background.request(
            Request(
                self._choices[model].name,
                prompts,
                self.subject.device,
                options,
                consistency=planes,
                clear_cache=not planes,
            )
        )

    def _take(self, event: RequestEvent) -> None:
        found = self.running
        if found is None or self.subject is None:
            return
        match event:
            case Progressed(_, fraction, phrase, _):
                self._fraction = fraction
                self.phrase = phrase
                self.changed()
            case Noted(_, sentence):
                self._put(found.noted(sentence))
            case Predicted() if self._measures_planes:
                self._end(replace(found.with_agreements(event), stage=Stage.DONE))
            case Predicted() if self.subject.consistency:
                self._answer(found.answered(event))
                prompts = prompts_for(self._choices[found.model].card, self.subject.prompts)
                self._ask(found.model, prompts, self._options(found.model), planes=True)
            case Predicted():
                self._answer(found.answered(event))
                self._end(replace(self.result(found.model), stage=Stage.DONE))
            case Failed(_, error, _) if self._measures_planes:
                self._end(replace(found.noted(str(error)), stage=Stage.DONE))
            case Failed(_, error, _):
                self._end(replace(found, stage=Stage.FAILED, sentence=str(error)))

    def _answer(self, found: ModelResult) -> None:
        self._put(found)
        self._answered(found.model, found.masks)
        self.changed()

    def _end(self, found: ModelResult) -> None:
        self._put(found)
        self._fraction = 0.0
        self._next()

    def _put(self, found: ModelResult) -> None:
        self.results = tuple(found if r.model == found.model else r for r in self.results)


def check_models(models: Sequence[str]) -> None:
    """Refuse models that cannot be compared; one with other options is another model.

    Raises:
        ModelError: If one or its options are unknown, it is named twice, or there are too few or
            too many.
        WeightsError: If there are no such weights.
    """
    texts = {read_choice(model).text for model in models}
    if len(texts) != len(models) or not FEWEST <= len(models) <= MOST:
        raise ModelError(
            f"{len(models)} models are chosen ({', '.join(models) or 'none'}); choose {FEWEST} to "
            f"{MOST} different ones."
        )
