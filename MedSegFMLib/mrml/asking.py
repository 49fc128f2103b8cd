"""What was asked of the worker last, and whether an event is about that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..prompt_list import PromptList
from ..registry import DEFAULT_MODEL
from ..volume import Volume
from ..worker.events import Event, Failed, Noted, Predicted, Progressed, Request, Stopped
from .client_protocol import Client


class Asking:
    """A model, and at most one prompt list whose answer is awaited.

    Events about anything else are of the past: their volume, prompts or model are gone.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._awaited: tuple[int, PromptList] | None = None
        self.model = DEFAULT_MODEL
        self.device = "auto"
        self.options: dict[str, Any] = {}

    @property
    def awaited(self) -> PromptList | None:
        """The prompts whose answer is awaited."""
        return None if self._awaited is None else self._awaited[1]

    def set_volume(self, volume: Volume) -> None:
        """Ask about this volume from now on; what was asked of another is dropped."""
        self.drop()
        self._client.set_volume(volume)

    def set_model(self, name: str, device: str, options: dict[str, Any]) -> bool:
        """Ask this model from now on; whether it is another than before, or set otherwise."""
        before = (self.model, self.device, self.options)
        self.model, self.device, self.options = name, device, options
        return before != (name, device, options)

    def ask(self, prompts: PromptList) -> None:
        """Ask for the answer to these prompts, in place of what was asked before."""
        request = Request(self.model, prompts, self.device, self.options)
        self._awaited = (self._client.request(request), prompts)

    def drop(self) -> None:
        """Await nothing: the state that was asked about is gone."""
        if self._awaited is not None:
            self._awaited = None
            self._client.cancel()

    def cancel(self) -> None:
        """Stop what is awaited; the worker tells when it has stopped."""
        if self._awaited is not None:
            self._client.cancel()

    def poll(self) -> Sequence[tuple[Event, PromptList | None]]:
        """The events that still matter, each with the prompts that were asked about."""
        found = []
        for event in self._client.poll():
            awaited = self._awaited
            if isinstance(event, Progressed | Noted | Predicted | Failed | Stopped):
                ours = awaited is not None and event.number == awaited[0]
                # Number 0: there is no worker, whoever asks.
                if not ours and not (isinstance(event, Failed) and event.number == 0):
                    continue
            if isinstance(event, Predicted | Failed | Stopped):
                self._awaited = None
            found.append((event, None if awaited is None else awaited[1]))
        return found

    def close(self) -> None:
        """End the worker."""
        self.drop()
        self._client.close()
