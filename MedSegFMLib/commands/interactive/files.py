"""The commands of the shell that read and write files: pictures, segmentations, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import OutputError
from ...prompts.json_format import read_prompts, write_prompts
from ...prompts.references import named_object
from ...prompts.types import Point
from ..arguments.outputs import check_outputs
from ..arguments.picture import title_of
from ..console import progress_bar
from ..result_output import Output
from .context import Context, as_one, numbers
from .listing import print_objects

DEFAULT_VIEW = "view.png"


def view(context: Context, words: Sequence[str]) -> None:
    """Write a picture; its words are a file, three numbers, an object, or several of these."""
    from .view import write_view

    talk = context.conversation
    names = [word for word in words if _is_picture(word)]
    others = [word for word in words if not _is_picture(word)]
    path = Path(names[0] if names else DEFAULT_VIEW)
    check_outputs([path], Path(context.arguments.volume))
    with progress_bar(talk.card.name) as progress:
        segmentation = talk.segmentation(progress)
    at_ijk: Sequence[float] | None = None
    shown = segmentation
    if len(others) == 3 and all(map(_is_number, others)):
        at_ijk = numbers(others, "view [FILE.png] [I J K]")
        Point.from_ijk(talk.volume.geometry, at_ijk)
    elif others:
        label = named_object(talk.prompts, " ".join(others))
        first = sorted(segmentation.segments, key=lambda s: s.label != label)
        shown = type(segmentation)(segmentation.geometry, tuple(first))
    title = f"{title_of(Path(context.arguments.volume), talk.volume)}, {talk.card.name}"
    write_view(talk.volume, shown, talk.prompts, title, path, at_ijk)
    print(f"Wrote {path}.")


def _is_picture(word: str) -> bool:
    return word.lower().endswith((".png", ".jpg"))


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).lstrip("-").isdigit()


def save(context: Context, words: Sequence[str]) -> None:
    """Write the segmentation, or the prompts."""
    path = Path(as_one(words, "save FILE"))
    talk, source = context.conversation, Path(context.arguments.volume)
    if not talk.prompts.entries:
        raise OutputError("There is nothing to save; give a prompt first.")
    if path.suffix.lower() == ".json":
        check_outputs([path], source)
        write_prompts(talk.prompts, path)
    else:
        result = Output(path)
        check_outputs(result.files, source)
        result.check()
        result.check_source(context.arguments)
        with progress_bar(talk.card.name) as progress:
            segmentation = talk.segmentation(progress)
        result.write(
            segmentation,
            talk.taken,
            talk.card.name,
            talk.prompts,
            context.arguments,
            context.options,
            automatic=False,
            overlapping=False,
            asked_with=() if talk.card.takes_words else None,
        )
    talk.note_saved()
    print(f"Wrote {path}.")


def load(context: Context, words: Sequence[str]) -> None:
    """Read saved prompts instead of the present ones."""
    prompts = read_prompts(as_one(words, "load FILE.json"))
    talk = context.conversation
    for _, prompt in prompts.entries:
        talk.check(prompt)
    with progress_bar(talk.card.name) as progress:
        talk.change(prompts, progress)
    print_objects(context, ())
