"""Answers of one worker process, waited for; Ctrl-C stops the prediction and not the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ...errors import Cancelled
from ...progress import Progress
from ...prompts.prompt_list import PromptList
from ...volumes.images import Channels
from ...volumes.volume import Volume
from ...worker.client import (
    Answer,
    Failed,
    LocalLauncher,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Request,
    Restarted,
    Stopped,
    WorkerClient,
)


class Answerer:
    """A model on a volume in a process of its own.

    Args:
        volume: the volume.
        model: as for `registry.create`.
        device: as for `registry.create`.
        options: as for `registry.create`.

    Attributes:
        prompts: the names of the prompts that the model supports; () before it is loaded.
        classes: its classes; () if there are none.
        channels: the images of the volume that it takes, as in its card; None before it is loaded.
        notes: sentences for the user since the last request.
    """

    def __init__(self, volume: Volume, model: str, device: str, options: Mapping[str, Any]) -> None:
        self._volume = volume
        self._model, self._device, self._options = model, device, dict(options)
        self._client = WorkerClient(LocalLauncher())
        self.prompts: tuple[str, ...] = ()
        self.classes: tuple[str, ...] = ()
        self.channels: Channels = None
        self.notes: list[str] = []

    def answer(self, prompts: PromptList, progress: Progress) -> Mapping[int, Answer]:
        """The answers for all objects that have prompts; without any, the model is loaded.

        Raises:
            Cancelled: Ctrl-C was pressed.
            MedSegFMError: as the model raises, or if no worker can be kept.
        """
        self._client.set_volume(self._volume)
        request = Request(self._model, prompts, self._device, self._options, asks=True)
        number = self._client.request(request)
        with _interrupts() as interrupted:
            while True:
                for event in self._client.poll():
                    if isinstance(event, Predicted) and event.number == number:
                        return event.answers
                    if isinstance(event, Stopped) and event.number == number:
                        raise Cancelled("The prediction was stopped.")
                    if isinstance(event, Failed):
                        raise event.error
                    self._note(event, progress)
                if interrupted.is_set():
                    interrupted.clear()
                    self._client.cancel()

    def close(self) -> None:
        """End the worker."""
        self._client.close()

    def _note(self, event: object, progress: Progress) -> None:
        if isinstance(event, Progressed):
            progress(event.fraction, event.phrase)
        elif isinstance(event, Opened):
            self.prompts, self.classes = event.prompts, event.classes
            self.channels = event.channels
        elif isinstance(event, Noted):
            self.notes.append(event.sentence)
        elif isinstance(event, Restarted) and not event.after_cancel:
            self.notes.append("The worker ended and was started again.")


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets within the block, if this program takes it at all."""
    interrupted = threading.Event()
    takes = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    # Only a terminal's shell has this handler; a script is ended by Ctrl-C as any other program.
    if not takes or before is not signal.default_int_handler:
        yield interrupted
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
