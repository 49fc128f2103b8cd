"""`medsegfm worker`: the process that predicts, for a client at the other end of a pipe or ssh."""

from __future__ import annotations

import argparse
import sys

from ..errors import WorkerError

SUMMARY = "predict for another computer, over ssh; Slicer and other clients start it themselves"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has none: all that it does it reads from its input."""


def run(arguments: argparse.Namespace) -> None:
    """Serve until the input ends.

    Raises WorkerError in a terminal, where no client can be at the other end.
    """
    from ..worker.server import main

    if sys.stdin is None or sys.stdin.isatty():
        raise WorkerError(
            "The worker is no command to type: name this computer as the worker's host in a "
            "client, which runs it over ssh."
        )
    main()
