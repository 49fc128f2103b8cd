"""The command line `medsegfm`: exit 0 on success, 2 with one sentence on stderr for bad input."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from . import __version__
from .errors import MedSegFMError

# Each is a module in `commands` with SUMMARY, add_arguments(parser) and run(arguments), which
# returns the exit status or None for 0.
COMMANDS = (
    "demo",
    "models",
    "show",
    "segment",
    "evaluate",
    "convert",
    "pack",
    "train",
    "weights",
    "worker",
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is one --help away."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        # argparse takes -1e-5 for an option.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (sys.argv by default) and return the exit status."""
    _mend_streams()
    try:
        try:
            words = list(sys.argv[1:] if arguments is None else arguments)
            parsed = _parser().parse_args(words, argparse.Namespace(words=words))
            return int(parsed.run(parsed) or 0)
        finally:
            sys.stdout.flush()
    except MedSegFMError as error:
        return _refused(" ".join(str(error).split()))
    except BrokenPipeError:
        # The reader, for instance `head`, has seen enough.
        _drop_what_stdout_refuses()
        return 141
    except OSError as error:
        _drop_what_stdout_refuses()
        what = f"{error.filename}: " if error.filename else ""
        return _refused(f"{what}{error.strerror or error}; check permissions and free space.")
    except MemoryError:
        return _refused("not enough memory; give a smaller box or volume.")
    except KeyboardInterrupt:
        print("medsegfm: stopped; run the same command again to go on.", file=sys.stderr)
        return 130


def _parser() -> _Parser:
    parser = _Parser(prog="medsegfm", description="Interactive 3D medical image segmentation.")
    parser.add_argument("--version", action="version", version=f"medsegfm {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"{__package__}.commands.{name}")
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _refused(sentence: str) -> int:
    print(f"medsegfm: {sentence}", file=sys.stderr)
    return 2


def _mend_streams() -> None:
    """Closed streams lead nowhere, and letters that a terminal cannot show become "?"."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8", errors="replace"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_what_stdout_refuses() -> None:
    """Python flushes stdout once more when it ends, and would complain again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
