"""Launchers of workers: on this computer, or on another one through ssh."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import WorkerError
from ..system.library_program import library_environment, program

_BEFORE_SLICER = "APPLAUNCHER_0_"
_LIBRARY = __name__.partition(".")[0]


class Launcher(Protocol):
    """How a client starts a worker."""

    @property
    def shares_memory(self) -> bool:
        """Whether the worker runs on this computer."""

    @property
    def patience_seconds(self) -> float:
        """How long a worker may continue after a cancel before it is ended."""

    @property
    def place(self) -> str:
        """The worker's place, to follow "The worker" in a sentence; empty for this computer."""

    @property
    def advice(self) -> str:
        """The way out if it does not start, to end a sentence with."""

    def arguments(self) -> list[str]:
        """The program and its arguments.

        Raises:
            WorkerError: there is no program to start.
        """

    def environment(self) -> Mapping[str, str]:
        """The environment variables of the program."""


@dataclass(frozen=True)
class LocalLauncher:
    """A worker on this computer.

    Attributes:
        python: the interpreter; None for this one, or for PythonSlicer in Slicer, whose own
            executable is the application.
        shares_memory: see `Launcher`.
        patience_seconds: see `Launcher`.
    """

    python: str | None = None
    shares_memory: bool = True
    patience_seconds: float = 1.0

    @property
    def place(self) -> str:
        """Empty, for this computer."""
        return ""

    @property
    def advice(self) -> str:
        """The way out if it does not start."""
        return "check its output, and that the packages of the model are installed"

    def arguments(self) -> list[str]:
        """Python with this library's worker.

        Raises:
            WorkerError: there is no interpreter.
        """
        return program(f"{__package__}", python=self.python)

    def environment(self) -> Mapping[str, str]:
        """The environment of this process, with the library on Python's path."""
        return library_environment()


@dataclass(frozen=True)
class TrainingLauncher:
    """A training run on this computer that prints events (`medsegfm train … --events`).

    Attributes:
        recipe: as for the command.
        settings: as for the command.
        python: as for `LocalLauncher`.
    """

    recipe: str
    settings: Mapping[str, object]
    python: str | None = None

    def arguments(self) -> list[str]:
        """Python with the command.

        Raises:
            WorkerError: there is no interpreter.
        """
        settings = [f"{key}={value}" for key, value in self.settings.items()]
        return program(_LIBRARY, "train", self.recipe, *settings, "--events", python=self.python)

    def environment(self) -> Mapping[str, str]:
        """The environment of this process, with the library on Python's path."""
        return library_environment()


@dataclass(frozen=True)
class CommandLauncher:
    """A command of this program on this computer.

    Attributes:
        words: the command and its arguments.
    """

    words: Sequence[str]

    def arguments(self) -> list[str]:
        """Python with the command.

        Raises:
            WorkerError: there is no interpreter.
        """
        return program(_LIBRARY, *self.words)

    def environment(self) -> Mapping[str, str]:
        """The environment of this process, with the library on Python's path."""
        return library_environment()


@dataclass(frozen=True)
class SshLauncher:
    """A worker on another computer, on which only medsegfm must be installed.

    Attributes:
        host: as for ssh; keys, jumps and ports belong in ssh's own configuration.
        command: the command that starts the worker, for the remote shell.
        shares_memory: see `Launcher`.
        patience_seconds: longer than for this computer: on a slow connection, data that ssh buffers
            precedes the cancel, and a worker that is ended needs the volume again.

    Raises:
        WorkerError: ssh would parse the host as an option.
    """

    host: str
    command: str = "medsegfm worker"
    shares_memory: bool = False
    patience_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not self.host or self.host.startswith("-") or any(map(str.isspace, self.host)):
            raise WorkerError(
                f"The worker's host is '{self.host}'; give a host name for ssh, for example "
                "user@computer."
            )

    @property
    def place(self) -> str:
        """The host."""
        return f" on {self.host}"

    @property
    def advice(self) -> str:
        """The way out if it does not start."""
        return f"check that 'ssh {self.host} medsegfm --version' succeeds without any prompt"

    def arguments(self) -> list[str]:
        """An ssh that never prompts, and that notices within a minute if the network is down."""
        options = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
        return ["ssh", *options, "--", self.host, self.command]

    def environment(self) -> Mapping[str, str]:
        """The environment of this process; in Slicer, that in which Slicer was started.

        Slicer's launcher sets library paths with which ssh fails, and keeps all original variables
        under names with a prefix.
        """
        before = {
            name.removeprefix(_BEFORE_SLICER): value
            for name, value in os.environ.items()
            if name.startswith(_BEFORE_SLICER)
        }
        return before or dict(os.environ)
