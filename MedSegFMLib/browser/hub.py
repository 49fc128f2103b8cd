"""All pages of one session: each shows the same work."""

from __future__ import annotations

import asyncio
import json
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import PageError
from .channel import Channel
from .desk import Desk
from .fields import Message, text, whole

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

_TICK_SECONDS = 0.02
# Worker and scene are followed this often; images as often as the tick.
_PUMP_SECONDS = 0.05
# An image that does not change is sent again without loss after this; later while an answer is
# awaited, which needs the processor and changes it anyway.
_STILL_SECONDS, _AWAITING_SECONDS = 0.25, 2.0
_LARGEST_CHANNELS = 8


class Hub:
    """Has every page show the state and the views of the desk.

    Args:
        desk: The work.

    Attributes:
        last_seen: When a page was connected last, in seconds of `time.monotonic`; None before the
            first page.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._channels: list[Channel] = []
        self._pumped_at = 0.0
        self.last_seen: float | None = None

    @property
    def has_room(self) -> bool:
        """Whether another page may connect."""
        return len(self._channels) < _LARGEST_CHANNELS

    async def serve(self, socket: WebSocketResponse) -> None:
        """Serve a page until it is closed."""
        channel = Channel(socket)
        self._channels.append(channel)
        sender = asyncio.create_task(channel.run_sender())
        try:
            async for message in channel.messages():
                self._take(channel, message)
        finally:
            sender.cancel()
            self._channels.remove(channel)
            self.last_seen = monotonic()

    async def close(self) -> None:
        """End the connections of all pages, for which the end of the server would wait."""
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def run(self) -> None:
        """Follow the work for ever."""
        while True:
            began = monotonic()
            await self.tick()
            await asyncio.sleep(max(0.001, _TICK_SECONDS - (monotonic() - began)))

    async def tick(self) -> None:
        """Follow worker and scene, and send what has changed."""
        now = monotonic()
        if self._channels:
            self.last_seen = now
        is_due, is_awaiting = now - self._pumped_at >= _PUMP_SECONDS, self.desk.is_awaiting
        # An answer that is awaited is looked for with each tick.
        has_news = (is_due or is_awaiting) and self.desk.pump()
        if is_due or has_news:
            self._pumped_at = now
            self.publish()
        for image in self.desk.views.by_use:
            if any(channel.wants(image) for channel in self._channels):
                has_changed = image.update(_AWAITING_SECONDS if is_awaiting else _STILL_SECONDS)
                for channel in self._channels:
                    channel.send_image(image)
                if has_changed:
                    # It is on its way before the next view is rendered.
                    await asyncio.sleep(0)

    def publish(self) -> None:
        """Send the state of the work."""
        if any(channel.is_ready for channel in self._channels):
            sections = {name: json.dumps(state) for name, state in self.desk.state().items()}
            for channel in self._channels:
                channel.send_state(sections)

    def _take(self, channel: Channel, message: Message) -> None:
        try:
            kind = text(message, "type")
            if kind == "drawn":
                channel.confirm(whole(message, "view", 0, 99))
            elif kind == "hello":
                channel.is_ready = True
            else:
                self.desk.act(message)
        except PageError as error:
            self.desk.status.warn(str(error))
