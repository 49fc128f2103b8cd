"""The command line `medsegfm`: exit 0 on success, 2 with one sentence on stderr for bad input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .errors import MedSegFMError

# Each is a module in `commands` with SUMMARY, add_arguments(parser) and run(arguments).
COMMANDS = ("demo", "models", "segment", "evaluate", "weights")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is one --help away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (sys.argv by default) and return the exit status."""
    parser = _Parser(prog="medsegfm", description="Interactive 3D medical image segmentation.")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"{__package__}.commands.{name}")
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    try:
        parsed.run(parsed)
    except MedSegFMError as error:
        sentence = " ".join(str(error).split())
        print(f"medsegfm: {sentence}", file=sys.stderr)
        return 2
    except MemoryError:
        print("medsegfm: not enough memory; give a smaller box or volume.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("medsegfm: stopped; nothing more was written.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
