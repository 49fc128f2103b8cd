"""A trial of weights in a process of its own, for a program that must survive it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from ..errors import WeightsError, WorkerError
from ..models.phantom_trial import LEFT_OUT
from ..progress import Progress
from ..system.process_tree import ProcessTree, exit_words
from .launchers import CommandLauncher
from .training_process import Program

_PHRASE = "Trying the weights"
# How often a cancellation is looked for.
_LOOK_SECONDS = 0.2
_OWN_WORDS = "medsegfm: "


class ProcessTrial:
    """The `Trial` that runs `medsegfm weights try`.

    Args:
        make_program: makes the program from the words of the command.
        options: the options that the weights need.

    Attributes:
        left_out: see `PhantomTrial`.
    """

    def __init__(
        self,
        make_program: Callable[[list[str]], Program] = CommandLauncher,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._make_program = make_program
        self._options = dict(options or {})
        self.left_out = ""

    def __call__(self, name: str, path: Path, progress: Progress) -> None:
        """Try the weights of a name.

        Raises:
            WeightsError: the program refuses them, crashes, or cannot be started.
            Cancelled: `progress` raised it; the program is ended.
        """
        progress(0.0, _PHRASE)
        words = [f"--option={option}={value}" for option, value in self._options.items()]
        program = self._make_program(["weights", "try", name, str(path), *words])
        try:
            tree = ProcessTree(program.arguments(), program.environment())
        except (OSError, WorkerError) as error:
            reason = str(error).rstrip(".")
            raise WeightsError(
                f"The trial of {path} cannot be started ({reason}); import the weights with "
                "'medsegfm weights import'."
            ) from error
        readers = [_Reader(stream) for stream in (tree.process.stdout, tree.process.stderr)]
        try:
            while any(reader.is_alive() for reader in readers):
                readers[0].join(_LOOK_SECONDS)
                progress(0.5, _PHRASE)
        finally:
            tree.kill()
            status = tree.wait()
        progress(1.0, _PHRASE)
        self._judge(path, status, *(reader.text for reader in readers))

    def _judge(self, path: Path, status: int, text: str, errors: str) -> None:
        if status:
            last_line = errors.strip().splitlines()[-1] if errors.strip() else "it wrote nothing"
            if last_line.startswith(_OWN_WORDS):
                raise WeightsError(last_line.removeprefix(_OWN_WORDS))
            raise WeightsError(
                f"The trial of {path} {exit_words(status)}: {last_line.rstrip('.')}; use other "
                "weights, or free memory."
            )
        self.left_out = next((s for s in text.splitlines() if s.startswith(LEFT_OUT)), "")


class _Reader(threading.Thread):
    """Reads what a program prints on a stream until that ends."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(name="trial of weights", daemon=True)
        assert stream is not None, "it is a pipe"
        self._stream = stream
        self.text = ""
        self.start()

    def run(self) -> None:
        """In full, so that the program is never blocked."""
        self.text = self._stream.read().decode(errors="replace")
