"""Changes of a prompt list that come from the scene, and what a prompt must meet to be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import PromptError
from ...prompts.edits import replaced, with_prompt
from ...prompts.prompt_list import PromptList
from ...prompts.voxels import to_voxels
from ...segmenter import ModelCard, class_numbers
from ...volumes.geometry import Geometry
from .edits import Added, Deleted, Edit, Refused, Replaced


def check_new(
    prompts: PromptList,
    before: PromptList,
    card: ModelCard,
    geometry: Geometry,
    classes: Sequence[str] = (),
) -> None:
    """Raise PromptError for a prompt that is new in `prompts` and that the model cannot take.

    That is one of a type it does not take, one outside the volume, or a text that names none of
    the model's classes. classes: () where any text will do, or where they are not known yet.
    """
    known = {prompt for _, prompt in before.entries}
    new = [prompt for _, prompt in prompts.entries if prompt not in known]
    card.check_takes(new)
    phrases = to_voxels(new, geometry).phrases
    if classes and phrases:
        class_numbers(phrases, classes, card.name)


@dataclass(frozen=True)
class Edited:
    """A prompt list after edits, the object of the last new prompt, and what was refused."""

    prompts: PromptList
    label: int
    refused: tuple[str, ...]


def edited(
    prompts: PromptList,
    label: int,
    edits: Sequence[Edit],
    check: Callable[[PromptList, PromptList], None],
    new_object_per_box: bool,
) -> Edited:
    """Take the edits that can be taken; the others are refused, each with its sentence.

    label: the object that new prompts are for.
    check: raises PromptError where the first list has a prompt, new since the second, that cannot
        be taken.
    """
    refused = []
    gone = []
    for edit in edits:
        try:
            after, owner = prompts, label
            match edit:
                case Refused(sentence):
                    raise PromptError(sentence)
                case Replaced(index, prompt):
                    after = replaced(prompts, index, prompt)
                case Added(prompt):
                    after, owner = with_prompt(prompts, prompt, label, new_object_per_box)
                case Deleted(index):
                    gone.append(index)
            check(after, prompts)
            prompts, label = after, owner
        except PromptError as error:
            refused.append(str(error))
    # New prompts come at the end, so that the indices of those that go still hold.
    for index in sorted(gone, reverse=True):
        prompts = prompts.deleted(index)
    return Edited(prompts, label, tuple(refused))
