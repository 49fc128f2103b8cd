"""The parser of the command line and its errors.

The exit status is 0 on success, and 2 with a one-sentence message on stderr for invalid input.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .. import __version__
from ..errors import MedSegFMError
from ..system import threads
from .arguments.parser import Parser
from .arguments.picture import with_joined_window
from .interrupts import INTERRUPTED, STATUS

# Each name is a module of this folder with SUMMARY, add_arguments(parser) and run(arguments), and
# EXAMPLES for its help if it is not obvious; `run` returns the exit status, or None for 0.
COMMANDS = (
    "demo",
    "models",
    "show",
    "view",
    "segment",
    "shell",
    "browser",
    "replay",
    "measure",
    "review",
    "evaluate",
    "challenge",
    "convert",
    "pack",
    "train",
    "weights",
    "completion",
    "worker",
)
# Those that compute, whose threads can be chosen.
_COMPUTING = ("demo", "segment", "shell", "replay", "measure", "evaluate", "train", "worker")


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    _repair_streams()
    try:
        try:
            words = list(arguments)
            parsed = parser_of(words).parse_args(
                with_joined_window(words), argparse.Namespace(words=words)
            )
            if getattr(parsed, "threads", None):
                threads.use(parsed.threads)
            return int(parsed.run(parsed) or 0)
        finally:
            sys.stdout.flush()
    except MedSegFMError as error:
        return _fail(" ".join(str(error).split()))
    except BrokenPipeError:
        # The reader, for instance `head`, closed the pipe.
        _discard_unwritable_stdout()
        return 141
    except OSError as error:
        _discard_unwritable_stdout()
        file = f"{error.filename}: " if error.filename else ""
        return _fail(f"{file}{error.strerror or error}; check permissions and free space.")
    except MemoryError:
        return _fail("not enough memory; use a smaller box or volume.")
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return STATUS


def parser_of(words: Sequence[str]) -> Parser:
    """The parser of a command line; of its command alone if it begins with one: others import
    much."""
    parser = Parser(prog="medsegfm", description="Interactive 3D medical image segmentation.")
    parser.add_argument("--version", action="version", version=f"medsegfm {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module = import_module(f"{__package__}.{name}")
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        subparser.examples = getattr(module, "EXAMPLES", "")
        module.add_arguments(subparser)
        if name in _COMPUTING:
            subparser.add_argument(
                threads.OPTION,
                type=_thread_number,
                metavar="N",
                help="threads of the computation (default: as many as cores are free at the start)",
            )
        subparser.set_defaults(run=module.run)
    return parser


def _thread_number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of threads; give 1 or more")
    return int(text)


def _fail(sentence: str) -> int:
    print(f"medsegfm: {sentence}", file=sys.stderr)
    return 2


def _repair_streams() -> None:
    """Redirect closed streams to the null device, and print unencodable characters as "?"."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            null_device = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(null_device, "w", encoding="utf-8", errors="replace"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _discard_unwritable_stdout() -> None:
    """Prevent a second error when Python flushes stdout at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
