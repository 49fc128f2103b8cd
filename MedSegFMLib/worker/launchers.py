"""How a worker is started: here, or on another computer through ssh."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import WorkerError

_BEFORE_SLICER = "APPLAUNCHER_0_"
_LIBRARY_FOLDER = Path(__file__).resolve().parents[2]
_LIBRARY = __name__.partition(".")[0]
# -P: a numpy.py in the folder where the user happens to be is not numpy.
_MODULE = ("-P", "-m")


class Launcher(Protocol):
    """What a client must know to start a worker."""

    @property
    def shares_memory(self) -> bool:
        """Whether the worker runs on this computer."""

    @property
    def patience_seconds(self) -> float:
        """How long a worker may go on after it was asked to stop, before it is ended."""

    @property
    def place(self) -> str:
        """Where the worker runs, after "The worker" in a sentence; empty for here."""

    @property
    def advice(self) -> str:
        """What to do where it does not start, to end a sentence with."""

    def arguments(self) -> list[str]:
        """The program and its arguments; WorkerError where there is none to start."""

    def environment(self) -> Mapping[str, str]:
        """The variables the program gets."""


@dataclass(frozen=True)
class LocalLauncher:
    """A worker on this computer.

    python: the interpreter; None for this one, or for PythonSlicer where this is Slicer, whose
        own executable is the application.
    """

    python: str | None = None
    shares_memory: bool = True
    patience_seconds: float = 1.0

    @property
    def place(self) -> str:
        """Empty: it is here."""
        return ""

    @property
    def advice(self) -> str:
        """What to do where it does not start."""
        return "see what it wrote, and that the packages of the model are installed"

    def arguments(self) -> list[str]:
        """Python with this library's worker; WorkerError where there is no interpreter."""
        return [self.python or find_python(), *_MODULE, f"{__package__}"]

    def environment(self) -> Mapping[str, str]:
        """This process's own, with the library where Python finds it."""
        return _library_environment()


@dataclass(frozen=True)
class TrainingLauncher:
    """A training on this computer that tells what it does (`medsegfm train … --events`).

    recipe, settings: as the command takes them. python: as for a `LocalLauncher`.
    """

    recipe: str
    settings: Mapping[str, object]
    python: str | None = None

    def arguments(self) -> list[str]:
        """Python with the command; WorkerError where there is no interpreter."""
        words = [f"{key}={value}" for key, value in self.settings.items()]
        command = [*_MODULE, _LIBRARY, "train", self.recipe, *words, "--events"]
        return [self.python or find_python(), *command]

    def environment(self) -> Mapping[str, str]:
        """This process's own, with the library where Python finds it."""
        return _library_environment()


@dataclass(frozen=True)
class SshLauncher:
    """A worker on another computer, which needs nothing but medsegfm installed there.

    host: as ssh takes it; keys, jumps and ports belong into ssh's own configuration.
    command: what starts the worker there, in the words of the remote shell.
    patience_seconds: longer than here: what ssh holds back on a slow line comes before the cancel,
        and a worker that is ended needs the volume again.

    Raises WorkerError for a host that ssh would take for an option.
    """

    host: str
    command: str = "medsegfm worker"
    shares_memory: bool = False
    patience_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not self.host or self.host.startswith("-") or any(map(str.isspace, self.host)):
            raise WorkerError(
                f"The worker's host is '{self.host}'; give a name as ssh takes it, for instance "
                "user@computer."
            )

    @property
    def place(self) -> str:
        """The host."""
        return f" on {self.host}"

    @property
    def advice(self) -> str:
        """What to do where it does not start."""
        return f"see that 'ssh {self.host} medsegfm --version' answers without asking for anything"

    def arguments(self) -> list[str]:
        """An ssh that asks nothing, and that notices within a minute when the network is gone."""
        words = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        words += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
        return ["ssh", *words, "--", self.host, self.command]

    def environment(self) -> Mapping[str, str]:
        """This process's own; within Slicer the one that Slicer was started in.

        Its launcher sets library paths that ssh cannot live with, and keeps all variables as they
        were under names with a prefix.
        """
        before = {
            name.removeprefix(_BEFORE_SLICER): value
            for name, value in os.environ.items()
            if name.startswith(_BEFORE_SLICER)
        }
        return before or dict(os.environ)


def _library_environment() -> Mapping[str, str]:
    paths = [str(_LIBRARY_FOLDER), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def find_python() -> str:
    """The interpreter to run a worker with: this one, or Slicer's; WorkerError where none is."""
    if Path(sys.executable).name.lower().startswith("python"):
        return sys.executable
    found = shutil.which("PythonSlicer")
    if found is None:
        raise WorkerError(
            f"{sys.executable or 'This program'} is no Python interpreter, and there is no "
            "PythonSlicer on the PATH; name an interpreter."
        )
    return found
