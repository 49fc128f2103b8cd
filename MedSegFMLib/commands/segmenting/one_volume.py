"""One volume of `medsegfm segment`: what is checked before the model, and its session."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ...consistency.asking import asking, asking_card
from ...prompts.mask import Mask
from ...prompts.prompt_list import PromptList
from ...prompts.voxels import to_voxels
from ...registry import card
from ...segmenter import Segmenter
from ...session.session import Session
from ...volumes.volume import Volume
from ..arguments.images import other_images
from ..arguments.masks import mask_files
from ..arguments.prompts import are_given, class_prompts, limits_object, parse_prompts
from ..arguments.reading import read_volume
from ..result_output import Output, treatment_of
from .model_arguments import check_model
from .place_questions import other_models


@dataclass
class Prepared:
    """A volume that was read and whose prompts and output were checked.

    Attributes:
        arguments: the command line.
        result: the files to write.
        volume: the volume.
        prompts: the prompts; none yet for a model with classes of which none is named.
        by_class: whether it is such a model.
        asks: whether a model of words asks where an object is, which takes a user.
    """

    arguments: argparse.Namespace
    result: Output
    volume: Volume
    prompts: PromptList
    by_class: bool
    asks: bool = False

    @property
    def masks(self) -> list[Mask]:
        """The masks among the prompts."""
        return [prompt for _, prompt in self.prompts.entries if isinstance(prompt, Mask)]

    @property
    def unprompted(self) -> str:
        """A sentence on objects without a prompt, which stay empty; "" if there are none."""
        given = {label for label, prompt in self.prompts.entries if not limits_object(prompt)}
        names = [f"'{name}'" for label, name in self.prompts.objects if label not in given]
        if not names:
            return ""
        has = "have no prompts and stay" if len(names) > 1 else "has no prompt and stays"
        return f"{', '.join(names)} {has} empty; give one after --object with that name."

    def begin(self, segmenter: Segmenter) -> Session:
        """A session with the prompts."""
        if self.asks:
            segmenter = asking(segmenter, other_models(self.arguments))
        session = Session(segmenter, self.volume)
        if self.by_class:
            arguments, geometry, classes = self.arguments, self.volume.geometry, segmenter.classes
            self.prompts = (
                class_prompts(classes, arguments, geometry)
                if classes
                else parse_prompts(arguments, geometry, card(arguments.model).prompts)
            )
        session.change(self.prompts)
        return session


def output_of(arguments: argparse.Namespace) -> Output:
    """The files of the result of a command line."""
    return Output(Path(arguments.out), arguments.fractional, treatment_of(arguments))


def inputs_of(arguments: argparse.Namespace) -> list[Path]:
    """The files that a command line reads beside its volume."""
    masks = [text for option, text in arguments.typed if option == "--mask"]
    given = [Path(i) for i in (arguments.prompts, arguments.weights) if i]
    return given + mask_files([*masks, *arguments.avoid]) + other_images(arguments)


def prepare(
    arguments: argparse.Namespace,
    result: Output,
    volume: Volume | None = None,
    asks: bool = False,
) -> Prepared:
    """Read a volume, unless it was read already, and its prompts.

    Errors are raised before a large network is loaded.
    """
    from ...volumes.io.image_files import check_storable

    if volume is None:
        check_model(arguments)
        volume = read_volume(arguments)
    for path in result.label_maps:
        check_storable(path, volume.geometry)
    result.check_source(arguments)
    # A model with classes supports text only and needs no prompts; its classes are known after it
    # has been loaded.
    known = card(arguments.model)
    takes_names_only = known.prompts == ("text",) and not known.takes_words
    by_class = not are_given(arguments) and takes_names_only
    if by_class:
        return Prepared(arguments, result, volume, PromptList(), by_class)
    known = asking_card(known) if asks else known
    prompts = parse_prompts(arguments, volume.geometry, known.prompts)
    for _, prompt in prompts.entries:
        known.check_takes([prompt])
        to_voxels([prompt], volume.geometry)
    return Prepared(arguments, result, volume, prompts, by_class, asks)
