"""Requests to one worker in order of importance: the user's work first, then the background.

A request of the work takes the place of one of the background, which is made again once the work
has its answer. So no answer is lost, and none is taken for another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...prompts.prompt_list import PromptList
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
from ..segments.model_voxels import ModelVoxels
from .active_model import ActiveModel
from .background import BackgroundRequests
from .client import Client

# The number of a request that waits for the user's Run.
_HELD = -1


@dataclass(frozen=True)
class PendingRequest:
    """A request of the user's work that is not answered yet.

    Attributes:
        number: The number that its events carry; negative while it is held back.
        prompts: The prompts that it is about.
        for_consistency: Whether it measures how well the model's planes agree.
        replaced: By label, results that the user chose meanwhile, in place of their answers.
    """

    number: int
    prompts: PromptList
    for_consistency: bool = False
    replaced: dict[int, ModelVoxels] = field(default_factory=dict)


class RequestQueue:
    """The worker, and what is requested of it; nothing here waits for it.

    Attributes:
        make_client: Makes a client of a worker on a host, "" for this computer.
        model: The model that requests name.
        pending: The work's request whose answer is awaited; None if none is. Events about any
            other are stale: their volume, prompts or model are gone.
        background: Requests that wait until the work awaits no answer.
        holds_back: Whether requests for answers wait until `release`; changes with the user's
            setting.
        host: Where the worker runs; "" is this computer.
        limited: Adds to the prompts of a request what limits all objects; events name the prompts
            without it.
    """

    def __init__(self, make_client: Callable[[str], Client]) -> None:
        self.make_client = make_client
        self._client: Client | None = None
        self._volume: Volume | None = None
        self._loaded: dict[str, Opened] = {}
        self.model = ActiveModel.of()
        self.pending: PendingRequest | None = None
        self.background = BackgroundRequests(self._cancel)
        self.holds_back = False
        self.host = ""
        self.limited: Callable[[PromptList], PromptList] = lambda prompts: prompts

    @property
    def is_held(self) -> bool:
        """Whether a request waits for `release`."""
        return self.pending is not None and self.pending.number == _HELD

    @property
    def is_predicting(self) -> bool:
        """Whether an answer to prompts is awaited, held back or not."""
        return self.pending is not None and not self.pending.for_consistency

    @property
    def is_measuring_consistency(self) -> bool:
        """Whether the agreement of the planes is awaited."""
        return self.pending is not None and self.pending.for_consistency

    def set_volume(self, volume: Volume) -> None:
        """Predict in this volume from now on; requests about another are dropped."""
        self.drop()
        self.background.drop()
        self._volume = volume
        self._worker().set_volume(volume)

    def set_model(
        self, name: str, device: str = "auto", options: Mapping[str, Any] | None = None
    ) -> bool:
        """Name this model in requests from now on.

        Returns:
            Whether it is another model than before, or has another device or options.

        Raises:
            ModelError: If there is no model of this name.
        """
        before = self.model
        self.model = ActiveModel.of(name, device, options, self._loaded.get(name))
        return self.model != before

    def set_host(self, host: str) -> bool:
        """Use a worker on another host; the present one ends. Returns whether it is another."""
        if host == self.host:
            return False
        self.host = host
        self.restart()
        return True

    def restart(self) -> None:
        """End the worker and start another one, which gets the same volume and request again."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self.background.number = None
        # Another worker may have other weights.
        self._loaded.clear()
        model = self.model
        self.model = ActiveModel.of(model.name, model.device, model.options)
        if self._volume is not None:
            self._worker().set_volume(self._volume)
            if self.pending is not None and self.pending.number != _HELD:
                self._send(self.pending)

    def warm_up(self) -> None:
        """Let the worker load the model, so that the first prompt finds it ready.

        A request that the worker has does that too, and must not be replaced.
        """
        if self._volume is not None and self._is_free() and self.background.number is None:
            model = self.model
            request = Request(model.name, PromptList(), model.device, model.options, asks=True)
            self._worker().request(request)

    def predict(self, prompts: PromptList) -> None:
        """Request the answer to prompts, in place of what was requested before."""
        request = PendingRequest(_HELD, prompts)
        if not self.holds_back:
            self._send(request)
            return
        self.drop()
        self.pending = request

    def measure_consistency(self, prompts: PromptList) -> None:
        """Request how well the planes agree for prompts whose answer is there; never held back."""
        self._send(PendingRequest(_HELD, prompts, for_consistency=True))

    def release(self) -> None:
        """Make the request that is held back."""
        if self.pending is not None and self.is_held:
            self._send(self.pending)

    def drop(self) -> None:
        """Await nothing: the state that was asked about is gone."""
        self.cancel()
        self.pending = None

    def cancel(self) -> None:
        """Stop the pending request; an event says when it has stopped."""
        if self.pending is not None and self.pending.number != _HELD:
            self._cancel()

    def poll(self) -> list[tuple[Event, PendingRequest | None]]:
        """Events that still matter, each with the request that was pending when it came."""
        if self._client is None:
            return []
        found = []
        for event in self._client.poll():
            pending, background = self.pending, self.background
            if isinstance(event, Progressed | Noted | Predicted | Failed | Stopped):
                if event.number == background.number:
                    background.take(event)
                    continue
                # Number 0: there is no worker for any request.
                is_ours = pending is not None and event.number == pending.number
                if not is_ours and not (isinstance(event, Failed) and event.number == 0):
                    continue
                if isinstance(event, Predicted | Failed | Stopped):
                    self.pending = None
            elif isinstance(event, Opened):
                self._loaded[event.model] = event
                if event.model == self.model.name:
                    self.model = self.model.loaded_as(event)
            found.append((event, pending))
        wanted = self.background.wanted
        if wanted is not None and self.background.number is None and self._is_free():
            self.background.number = self._client.request(wanted)
        return found

    def close(self) -> None:
        """End the worker."""
        self.pending = None
        self.background.number = None
        self.background.drop()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, pending: PendingRequest) -> None:
        """Make a request of the work; one of the background is stopped and waits from here on."""
        model = self.model
        prompts = self.limited(pending.prompts)
        request = Request(
            model.name,
            prompts,
            model.device,
            model.options,
            pending.for_consistency,
            asks=True,
        )
        client = self._client or self._worker()
        self.background.number = None
        self.pending = replace(pending, number=client.request(request))

    def _is_free(self) -> bool:
        return self.pending is None or self.pending.number == _HELD

    def _cancel(self) -> None:
        if self._client is not None:
            self._client.cancel()

    def _worker(self) -> Client:
        if self._client is None:
            self._client = self.make_client(self.host)
        return self._client
