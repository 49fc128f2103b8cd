"""The connection to one page: states and images out, at the page's own pace; messages in."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .view_image import ViewImage

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

# Images of one view that a page has not confirmed yet: more would only queue on a slow network.
_MOST_UNCONFIRMED = 2


class Channel:
    """Sends what a page does not have yet.

    Args:
        socket: The page's WebSocket.

    Attributes:
        is_ready: Whether the page has asked for the state; before, nothing is sent.
    """

    def __init__(self, socket: WebSocketResponse) -> None:
        self._socket = socket
        self._sent_states: dict[str, str] = {}
        self._sent_images: dict[int, int] = {}
        self._unconfirmed: dict[int, int] = {}
        # Sections and images that are not with the network yet; a page that reads nothing keeps
        # one of each section and few images of each view here, whatever it confirms.
        self._sections: dict[str, str] = {}
        self._images: Counter[int] = Counter()
        # The turns of both: a view's number and image, None for the sections.
        self._queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._is_sending = False
        self.is_ready = False

    @property
    def is_drained(self) -> bool:
        """Whether everything that was to be sent is with the network."""
        return self._queue.empty() and not self._is_sending

    def wants(self, image: ViewImage) -> bool:
        """Whether the page can take another image of a view now; the state makes the views."""
        return bool(self._sent_states) and self._unconfirmed.get(image.index, 0) < _MOST_UNCONFIRMED

    def confirm(self, index: int) -> None:
        """The page has drawn an image of a view."""
        self._unconfirmed[index] = max(self._images[index], self._unconfirmed.get(index, 0) - 1)

    def send_state(self, sections: Mapping[str, str]) -> None:
        """Send the sections, as JSON, that are not as they were sent last."""
        if not self.is_ready:
            return
        new = {name: s for name, s in sections.items() if self._sent_states.get(name) != s}
        if new:
            self._sent_states.update(new)
            if not self._sections:
                self._queue.put_nowait(None)
            self._sections.update(new)

    def send_image(self, image: ViewImage) -> None:
        """Send the newest image of a view if the page does not have it and can take it."""
        if image.number and self._sent_images.get(image.index) != image.number:
            if not self.wants(image):
                return
            self._sent_images[image.index] = image.number
            self._unconfirmed[image.index] = self._unconfirmed.get(image.index, 0) + 1
            self._images[image.index] += 1
            self._queue.put_nowait((image.index, image.data))

    async def run_sender(self) -> None:
        """Send what is queued, in order, until the page is gone."""
        while True:
            self._is_sending = False
            item = await self._queue.get()
            self._is_sending = True
            try:
                if item is None:
                    sections, self._sections = self._sections, {}
                    parts = (f"{json.dumps(name)}: {text}" for name, text in sections.items())
                    await self._socket.send_str(f"{{{', '.join(parts)}}}")
                else:
                    index, data = item
                    await self._socket.send_bytes(data)
                    self._images[index] -= 1
            except (ConnectionError, RuntimeError):
                return

    async def close(self) -> None:
        """Tell the page that the server ends."""
        from aiohttp import WSCloseCode

        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def messages(self) -> Any:
        """Yield the messages of the page; others than JSON objects end the connection."""
        from aiohttp import WSCloseCode, WSMsgType

        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
                return
            try:
                item = json.loads(message.data)
            except (ValueError, RecursionError):
                item = None
            if not isinstance(item, dict):
                await self._socket.close(code=WSCloseCode.INVALID_TEXT)
                return
            yield item
