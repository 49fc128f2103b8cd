"""What was asked of the worker last, and whether an event is about that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...prompts.prompt_list import PromptList
from ...registry import DEFAULT_MODEL
from ...volumes.volume import Volume
from ...worker.events import (
    Event,
    Failed,
    Noted,
    Opened,
    Predicted,
    Progressed,
    Request,
    Stopped,
)
from ..segments.model_voxels import Holding
from .client import Client


@dataclass(frozen=True)
class Awaited:
    """A request on its way: its number, its prompts, and whether it is for the planes alone.

    taken: what was taken for objects meanwhile, by label, in place of what comes for them.
    """

    number: int
    prompts: PromptList
    is_comparison: bool
    taken: dict[int, Holding] = field(default_factory=dict)


class Asking:
    """A model, and at most one prompt list whose answer, or whose planes, are awaited.

    Events about anything else are of the past: their volume, prompts or model are gone.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._awaited: Awaited | None = None
        self.model = DEFAULT_MODEL
        self.device = "auto"
        self.options: dict[str, Any] = {}
        # What models take and know, each as it was told when it was loaded last.
        self.opened: dict[str, Opened] = {}

    @property
    def awaited(self) -> PromptList | None:
        """The prompts whose answer is awaited."""
        awaited = self._awaited
        return None if awaited is None or awaited.is_comparison else awaited.prompts

    @property
    def compared(self) -> PromptList | None:
        """The prompts for which the agreement of the planes is awaited."""
        awaited = self._awaited
        return awaited.prompts if awaited is not None and awaited.is_comparison else None

    @property
    def taken(self) -> dict[int, Holding]:
        """What stands in place of an awaited answer, by label; not kept where none is awaited."""
        awaited = self._awaited
        return {} if awaited is None or awaited.is_comparison else awaited.taken

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
        self._request(prompts, consistency=False)

    def compare(self, prompts: PromptList) -> None:
        """Ask how well the planes agree for these prompts, in place of what was asked before."""
        self._request(prompts, consistency=True)

    def drop(self) -> None:
        """Await nothing: the state that was asked about is gone."""
        if self._awaited is not None:
            self._awaited = None
            self._client.cancel()

    def drop_comparison(self) -> None:
        """Await no comparison; an answer is still awaited."""
        if self.compared is not None:
            self.drop()

    def cancel(self) -> None:
        """Stop what is awaited; the worker tells when it has stopped."""
        if self._awaited is not None:
            self._client.cancel()

    def poll(self) -> Sequence[tuple[Event, Awaited | None]]:
        """The events that still matter, each with what was awaited when it came."""
        found = []
        for event in self._client.poll():
            awaited = self._awaited
            if isinstance(event, Progressed | Noted | Predicted | Failed | Stopped):
                ours = awaited is not None and event.number == awaited.number
                # Number 0: there is no worker, whoever asks.
                if not ours and not (isinstance(event, Failed) and event.number == 0):
                    continue
            if isinstance(event, Predicted | Failed | Stopped):
                self._awaited = None
            found.append((event, awaited))
        return found

    def close(self) -> None:
        """End the worker."""
        self.drop()
        self._client.close()

    def _request(self, prompts: PromptList, consistency: bool) -> None:
        request = Request(self.model, prompts, self.device, self.options, consistency)
        self._awaited = Awaited(self._client.request(request), prompts, consistency)
