"""A download in a process of its own, which Python's lock in the caller's process cannot slow down.

The process prints events, JSON objects, one per line on stdout, and ends with its input:

    {"fraction": 0.1, "phrase": "Downloading, 1.0 MB"}    from time to time
    {"sha256": "…"}                                       at the end
    {"error": "One sentence.", "class": "WeightsError"}   on failure
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ..errors import MedSegFMError, OutputError, WeightsError
from ..progress import Progress
from ..system.json_files import parse_json
from ..system.library_program import library_environment, program
from ..system.process_tree import ProcessTree
from .fetch import receive_and_check

# Progress is printed after this time, or after this part of the file.
_EVENT_SECONDS = 0.1
_EVENT_FRACTION = 0.01
_UNKNOWN_SIZE = ""


class ReceivingProcess:
    """A `fetch.Receive` that works in a process of its own."""

    def __init__(self) -> None:
        self._tree: ProcessTree | None = None
        self._killed = threading.Event()

    def __call__(self, url: str, part: Path, size: int | None, progress: Progress) -> str:
        """See `fetch.receive_and_check`.

        Raises:
            WeightsError: as there, or the process was killed or ended unexpectedly.
            OutputError: as there.
        """
        words = [url, os.fspath(part), _UNKNOWN_SIZE if size is None else str(size)]
        try:
            tree = ProcessTree(program(__name__, *words), library_environment())
        except (OSError, ValueError) as error:
            raise WeightsError(f"The download cannot be started ({error}); try again.") from error
        self._tree = tree
        if self._killed.is_set():
            tree.kill()
        process = tree.process
        assert process.stdin and process.stdout and process.stderr, "all three are pipes"
        with process.stdin, process.stdout, process.stderr:
            try:
                digest = _follow(process.stdout, progress)
                words = [] if digest else process.stderr.read().decode(errors="replace").split("\n")
            finally:
                tree.kill()
                tree.wait()
        if digest:
            return digest
        last_line = next((f" ({line.strip()})" for line in reversed(words) if line.strip()), "")
        raise WeightsError(
            f"The process that downloads {url} ended unexpectedly{last_line}; try again to resume "
            "it, or import a file."
        )

    def kill(self) -> None:
        """End the process at once; what it received is kept."""
        self._killed.set()
        if self._tree is not None:
            self._tree.kill()


def main() -> None:
    """Download what the arguments name, and print events."""
    url, part, size = sys.argv[1:]
    threading.Thread(target=_end_with_caller, daemon=True).start()
    printed_at, printed = float("-inf"), -1.0

    def progress(fraction: float, phrase: str) -> None:
        nonlocal printed_at, printed
        now = time.monotonic()
        is_ahead = fraction == 1 or fraction - printed >= _EVENT_FRACTION
        if is_ahead or now - printed_at >= _EVENT_SECONDS:
            printed_at, printed = now, fraction
            _print({"fraction": fraction, "phrase": phrase})

    try:
        _print({"sha256": receive_and_check(url, Path(part), int(size or 0) or None, progress)})
    except MedSegFMError as error:
        _print({"error": str(error), "class": type(error).__name__})


def _follow(stream: Any, progress: Progress) -> str:
    """Report events; return the SHA-256, "" if the stream ends without one."""
    while line := stream.readline():
        try:
            event = parse_json(line, dict)
            if "sha256" in event:
                return str(event["sha256"])
            if "error" in event:
                kind = OutputError if event["class"] == OutputError.__name__ else WeightsError
                raise kind(str(event["error"]))
            fraction, phrase = float(event["fraction"]), str(event["phrase"])
        except (KeyError, TypeError, ValueError):
            # A line that a library printed is not an event.
            continue
        progress(fraction, phrase)
    return ""


def _print(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _end_with_caller() -> None:
    # Not through `sys.stdin`, whose lock a thread must not have when the interpreter ends.
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
