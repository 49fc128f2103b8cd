"""The question where an object is, as `medsegfm segment` and the shell ask it, and its answer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

from ...drawing.places import voxel_of
from ...errors import ModelError, PromptError
from ...metrics.measures import VOLUME
from ...model_choice import choice_text, read_choice
from ...prompts.places import Place, PlaceQuestion
from ...prompts.prompt_list import PromptList
from ...prompts.references import named_object
from ...prompts.types import Point
from ...registry import card
from ...results.ledger import stored_options
from ...segmenter import Prediction, Segmenter
from ...volumes.geometry import Geometry
from ..console import print_table

# The exit status while a question is open.
OPEN = 3

Questions = Mapping[int, PlaceQuestion]


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about models that take any words."""
    group = parser.add_argument_group(
        "words",
        "A model that takes any words looks at the volume and at its mirror image. If these looks "
        "disagree, it asks for the place of the object instead of making a mask: places are "
        f"numbered, nothing is segmented for it, and the status is {OPEN}.",
    )
    group.add_argument(
        "--place",
        action="append",
        default=[],
        metavar="[OBJECT:]N",
        help="the object is at place N of the question; can be repeated",
    )
    group.add_argument(
        "--also-ask",
        action="append",
        default=[],
        metavar="MODEL",
        help="look with this model of words, too, such as medical-sam3?planes=axial; can be "
        "repeated",
    )


def other_models(arguments: argparse.Namespace) -> list[Segmenter]:
    """The models of --also-ask, loaded.

    Raises:
        ModelError: one does not exist or takes no words.
    """
    chosen = [read_choice(text) for text in arguments.also_ask]
    names = [arguments.model, *(choice.name for choice in chosen)]
    unfit = next((name for name in names if not card(name).takes_words), None)
    if chosen and unfit is not None:
        raise ModelError(
            f"--also-ask compares models that take any words, and {unfit} does not; leave it out, "
            "or use voxtell or medical-sam3."
        )
    return [choice.create(arguments.device) for choice in chosen]


def asked_with(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    """How a model asked back, for the ledger; None if it takes no words."""
    if not card(arguments.model).takes_words:
        return None
    chosen = [read_choice(text) for text in arguments.also_ask]
    return tuple(choice_text(c.name, stored_options(c.name, c.all_options)) for c in chosen)


def questions_of(predictions: Mapping[int, Prediction]) -> dict[int, PlaceQuestion]:
    """The questions among the answers of a session, by label."""
    return {label: p.question for label, p in predictions.items() if p.question is not None}


def with_places(prompts: PromptList, texts: Iterable[str], questions: Questions) -> PromptList:
    """The prompts with a click at each place that the user named.

    Args:
        prompts: the prompts that were asked about.
        texts: "2", or "left kidney:2" if several objects are asked about.
        questions: the questions by label.

    Raises:
        PromptError: there is no such question or place.
    """
    for text in texts:
        name, _, number = text.rpartition(":")
        label = named_object(prompts, name) if name else _only(prompts, text, questions)
        prompts = prompts.added(label, click_at(number.strip(), label, prompts, questions))
    return prompts


def click_at(number: str, label: int, prompts: PromptList, questions: Questions) -> Point:
    """The click at a place of the question about an object.

    Raises:
        PromptError: there is no such question or place.
    """
    question = questions.get(label)
    if question is None:
        raise PromptError(
            f"There is no question where '{prompts.name(label)}' is; leave out its place."
        )
    found = [place for place in question.places if str(place.number) == number]
    if not found:
        known = ", ".join(str(place.number) for place in question.places)
        raise PromptError(
            f"'{prompts.name(label)}' has no place '{number}'; its places are {known}."
        )
    return Point(found[0].position_ras)


def _only(prompts: PromptList, text: str, questions: Questions) -> int:
    """The only object that is asked about."""
    if len(questions) == 1:
        return next(iter(questions))
    if not questions:
        raise PromptError(f"No object is asked about, so there is no place {text}; leave it out.")
    asked = ", ".join(prompts.name(label) for label in questions)
    raise PromptError(f"Place {text} could be of any of {asked}; write it like NAME:{text}.")


def print_questions(
    questions: Questions, prompts: PromptList, geometry: Geometry, answers: str
) -> None:
    """Print each question with its numbered places.

    Args:
        questions: the questions by label.
        prompts: the prompts, for the names of the objects.
        geometry: the volume's grid.
        answers: how the user answers.
    """
    for label, question in questions.items():
        print(
            f"Where is '{prompts.name(label)}'? The looks at it agree by {question.agreement:.2f}, "
            f"and from {question.bound:.2f} on there is a mask. It may be here:"
        )
        rows = [_row(place, geometry) for place in question.places]
        heads = ["place", "R A S (mm)", "i j k", "slice", VOLUME.heading, "score"]
        print_table(heads, rows)
    if questions:
        print(answers)


def _row(place: Place, geometry: Geometry) -> Sequence[str]:
    k, j, i = voxel_of(place, geometry)
    position = " ".join(f"{value:.1f}" for value in place.position_ras)
    ml = VOLUME.text(place.millilitres)
    return [str(place.number), position, f"{i} {j} {k}", str(k), ml, f"{place.score:.2f}"]
