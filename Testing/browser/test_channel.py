"""Each page gets states and images at its own pace: a slow network delays, and nothing piles up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from MedSegFMLib.browser.channel import Channel


class Socket:
    """Notes what is sent to it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send_str(self, text: str) -> None:
        self.sent.append(text)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


def image(number: int, index: int = 0) -> Any:
    return SimpleNamespace(index=index, number=number, data=f"image {number}".encode())


def drained(channel: Channel, socket: Socket) -> list[Any]:
    """The messages that arrived since the last call."""
    socket.sent.clear()

    async def run() -> None:
        sender = asyncio.create_task(channel.run_sender())
        while not channel.is_drained:
            await asyncio.sleep(0)
        sender.cancel()

    asyncio.run(run())
    return list(socket.sent)


def ready() -> tuple[Channel, Socket]:
    socket = Socket()
    channel = Channel(socket)  # type: ignore[arg-type]
    channel.is_ready = True
    channel.send_state({"volume": "{}"})
    assert drained(channel, socket) == ['{"volume": {}}']
    return channel, socket


def test_a_page_gets_no_image_before_the_state_that_makes_its_views() -> None:
    channel = Channel(Socket())  # type: ignore[arg-type]
    channel.is_ready = True
    assert not channel.wants(image(1))
    channel.send_state({"views": "{}"})
    assert channel.wants(image(1))


def test_only_sections_that_have_changed_are_sent() -> None:
    channel, socket = ready()
    channel.send_state({"volume": "{}", "model": "1"})
    channel.send_state({"volume": "{}", "model": "1"})
    assert drained(channel, socket) == ['{"model": 1}']


def test_a_slow_page_gets_few_images_and_then_the_newest() -> None:
    channel, socket = ready()
    for number in range(1, 50):
        channel.send_image(image(number))
    assert drained(channel, socket) == [b"image 1", b"image 2"]
    channel.confirm(0)
    channel.send_image(image(50))
    channel.send_image(image(50))
    assert drained(channel, socket) == [b"image 50"]


def test_the_views_do_not_wait_for_each_other() -> None:
    channel, socket = ready()
    for number in range(1, 5):
        channel.send_image(image(number))
    channel.send_image(image(1, index=1))
    assert drained(channel, socket)[-1] == b"image 1"


def test_the_states_of_a_page_that_reads_nothing_become_one() -> None:
    channel, socket = ready()
    for number in range(100):
        channel.send_state({"volume": f'"{number}"', "model": "1"})
    assert drained(channel, socket) == ['{"volume": "99", "model": 1}']
    channel.send_state({"volume": "2", "model": "1"})
    assert drained(channel, socket) == ['{"volume": 2}']


def test_a_page_that_confirms_images_without_reading_them_gets_few() -> None:
    channel, socket = ready()
    for number in range(1, 50):
        channel.send_image(image(number))
        channel.confirm(0)
    assert drained(channel, socket) == [b"image 1", b"image 2"]


def test_a_page_that_confirms_more_than_it_got_gains_nothing() -> None:
    channel, socket = ready()
    for _ in range(100):
        channel.confirm(0)
    for number in range(1, 10):
        channel.send_image(image(number))
    assert len(drained(channel, socket)) == 2
