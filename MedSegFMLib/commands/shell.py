"""`medsegfm shell`: prompts typed one after another on one volume, with one loaded model."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from ..consistency.asking import asking_card
from ..errors import Cancelled, MedSegFMError
from ..prompts.json_format import read_prompts
from ..prompts.prompt_list import PromptList
from ..registry import card
from .arguments.images import add_image_arguments, check_one_image, settle_images
from .arguments.reading import VOLUME_HELP, add_reading_arguments, read_volume
from .console import progress_bar
from .segmenting.model_arguments import (
    add_model_arguments,
    check_model,
    model_options,
    stored_features,
)

if TYPE_CHECKING:
    from .interactive.context import Context

SUMMARY = "segment a volume interactively: type prompts and see what each of them changes"
EXAMPLES = """\
examples:
  medsegfm shell ct.nii.gz
  echo "box 60 40 10 140 120 30; save seg.nii.gz" | tr ";" "\\n" \\
      | medsegfm shell ct.nii.gz"""
_HISTORY = "shell-history"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        f"{SUMMARY}. Type help for the commands. Without a terminal, lines are read from the "
        "standard input, and the first error ends the shell with its status."
    )
    add_image_arguments(parser, VOLUME_HELP)
    parser.add_argument("--prompts", metavar="FILE.json", help="begin with saved prompts")
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="without a terminal, go on after an error; the status is 1 if there was any",
    )
    add_reading_arguments(parser)
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the lines of the user or of a script, and return the exit status."""
    from .interactive.answerer import Answerer
    from .interactive.context import Context
    from .interactive.conversation import Conversation
    from .interactive.lines import piped_lines

    settle_images(arguments)
    check_one_image(arguments)
    model_card = asking_card(card(arguments.model))
    options = model_options(arguments)
    check_model(arguments)
    prompts = read_prompts(arguments.prompts) if arguments.prompts else PromptList()
    with progress_bar(arguments.model) as progress:
        progress(0, "Reading the volume")
        volume = read_volume(arguments)
    is_typed = sys.stdin.isatty()
    answerer = Answerer(volume, arguments.model, arguments.device, options)
    with closing(answerer), stored_features(arguments):
        talk = Conversation(volume, model_card, answerer, prompts)
        for _, prompt in prompts.entries:
            talk.check(prompt)
        context = Context(talk, volume, arguments, options, asks=is_typed)
        if not is_typed:
            return _run_script(context, piped_lines(), arguments.keep_going)
        with _ctrl_c_as_exception():
            _run_typed(context)
        return 0


def _run_typed(context: Context) -> None:
    """Load the model, then run what is typed until the user ends it; errors end nothing."""
    from ..weights import store
    from .interactive.completion import completer
    from .interactive.lines import typed_lines

    talk = context.conversation

    def load() -> None:
        with progress_bar(talk.card.name) as progress:
            talk.load(progress)

    if not _attempt(context, load):
        print("The model is not loaded; the next prompt tries again.", file=sys.stderr)
    print("Type help for the commands, quit to end.")
    history = store.folder().parent / _HISTORY
    for line in typed_lines(history, completer(context)):
        if not _run_line(context, line):
            return


def _run_script(context: Context, lines: Iterable[str], keep_going: bool) -> int:
    status = 0
    for line in lines:
        failed: list[bool] = []
        if not _run_line(context, line, failed.append):
            break
        if failed and not keep_going:
            return 2
        status = 1 if failed else status
    return status


def _ignore(_failed: bool) -> None:
    """Ignore a failure, which was printed."""


def _run_line(context: Context, line: str, note_failure: Callable[[bool], None] = _ignore) -> bool:
    """Run a line and print its error; False if the shell ends."""
    from .interactive.commands import run_words
    from .interactive.context import Quit
    from .interactive.lines import words_of

    def work() -> None:
        words = words_of(line)
        if words:
            run_words(context, words)

    try:
        if not _attempt(context, work):
            note_failure(True)
    except Quit:
        return False
    finally:
        sys.stdout.flush()
    return True


def _attempt(context: Context, work: Callable[[], None]) -> bool:
    """Whether some work succeeded; if not, its error is printed in one sentence."""
    try:
        work()
    except Cancelled:
        sentence = "stopped; nothing was changed."
    except KeyboardInterrupt:
        sentence = "stopped."
    except MedSegFMError as error:
        sentence = " ".join(str(error).split())
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        sentence = f"{file}{error.strerror or error}; check permissions and free space."
    except MemoryError:
        sentence = "not enough memory; use a smaller box or volume."
    else:
        sentence = ""
    for note in context.conversation.take_notes():
        print(note, file=sys.stderr)
    if sentence:
        print(f"medsegfm: {sentence}", file=sys.stderr, flush=True)
    return not sentence


@contextmanager
def _ctrl_c_as_exception() -> Iterator[None]:
    """Within the block Ctrl-C is KeyboardInterrupt, and does not end the program."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
