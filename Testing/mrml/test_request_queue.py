"""The user's work goes first, requests wait for Run, and stale events are dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_helpers import SessionClient

from MedSegFMLib import Box, Geometry, Point, Volume
from MedSegFMLib.mrml.requests.request_queue import RequestQueue
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.worker.events import Failed, Opened, Predicted, Request, Stopped

GEOMETRY = Geometry.from_spacing((6, 8, 10))
VOLUME = Volume(np.arange(480, dtype=np.int16).reshape(6, 8, 10), GEOMETRY)


def clicks(*places: int) -> PromptList:
    prompts = PromptList().with_object()
    for place in places:
        prompts = prompts.added(1, Point.from_ijk(GEOMETRY, (place, 3, 3)))
    return prompts


def box() -> PromptList:
    return PromptList().with_object().added(1, Box.from_ijk(GEOMETRY, (1, 1, 1), (4, 4, 4)))


@pytest.fixture
def client() -> SessionClient:
    return SessionClient()


@pytest.fixture
def queue(client: SessionClient) -> RequestQueue:
    made = RequestQueue(lambda _host: client)
    made.set_volume(VOLUME)
    return made


def kinds(found: list[Any]) -> list[type]:
    return [type(event) for event, _ in found]


def test_only_events_of_the_pending_request_come_out(
    queue: RequestQueue, client: SessionClient
) -> None:
    client.paused = True
    queue.predict(clicks(2))
    late = client.answer(1, client.requests[0])
    queue.predict(clicks(2, 5))
    client.late.append(late)
    client.paused = False
    ((event, pending),) = queue.poll()
    assert isinstance(event, Predicted) and event.number == 2
    assert pending is not None and pending.prompts == clicks(2, 5) and queue.pending is None


def test_a_request_of_the_background_waits_and_is_made_again(
    queue: RequestQueue, client: SessionClient
) -> None:
    wanted = Request("ellipsoid", box(), clear_cache=True)
    queue.background.request(wanted)
    client.paused = True
    queue.poll()
    assert client.requests == [wanted]
    queue.predict(clicks(2))
    queue.poll()
    assert len(client.requests) == 2 and queue.background.poll() == []
    client.paused = False
    assert kinds(queue.poll()) == [Predicted]
    assert client.requests[-1] is wanted, "it is made again once the work has its answer"
    assert queue.poll() == []
    assert [type(event) for event in queue.background.poll()] == [Predicted]


def test_cancelling_the_work_stops_nothing_of_the_background(
    queue: RequestQueue, client: SessionClient
) -> None:
    queue.background.request(Request("ellipsoid", box()))
    client.paused = True
    queue.poll()
    queue.cancel()
    queue.drop()
    assert client.cancelled == 0
    queue.background.drop()
    assert client.cancelled == 1


def test_requests_are_held_back_until_run_and_measurements_are_not(
    queue: RequestQueue, client: SessionClient
) -> None:
    queue.holds_back = True
    queue.predict(clicks(2))
    queue.predict(clicks(2, 5))
    assert queue.is_held and queue.is_predicting and not client.requests
    queue.background.request(Request("ellipsoid", box()))
    queue.poll()
    assert [r.model for r in client.requests] == ["ellipsoid"], "a held request blocks nothing"
    queue.poll()
    assert queue.is_held and len(queue.background.poll()) == 1
    queue.release()
    assert not queue.is_held and client.requests[-1].prompts == clicks(2, 5)
    assert kinds(queue.poll()) == [Predicted]
    queue.measure_consistency(clicks(2, 5))
    assert queue.is_measuring_consistency and client.requests[-1].consistency


@pytest.mark.parametrize("how", ["restart", "host"])
def test_another_worker_gets_the_pending_request_again(how: str) -> None:
    clients: list[SessionClient] = []
    hosts: list[str] = []

    def make(host: str) -> SessionClient:
        hosts.append(host)
        clients.append(SessionClient())
        return clients[-1]

    queue = RequestQueue(make)
    queue.set_volume(VOLUME)
    clients[0].paused = True
    queue.predict(clicks(2))
    if how == "restart":
        queue.restart()
    else:
        assert queue.set_host("gpu") and not queue.set_host("gpu")
    assert hosts == ["", "" if how == "restart" else "gpu"]
    assert clients[1].volumes == [VOLUME]
    assert clients[1].requests == clients[0].requests
    assert kinds(queue.poll()) == [Predicted]


def test_a_restart_leaves_held_requests_held_and_forgets_loaded_models(
    queue: RequestQueue, client: SessionClient
) -> None:
    client.late.append(Opened(1, queue.model.name, ("box",), ("liver",)))
    assert kinds(queue.poll()) == [Opened]
    assert queue.model.card.prompts == ("box",) and queue.model.classes == ("liver",)
    queue.holds_back = True
    queue.predict(clicks(2))
    queue.restart()
    assert queue.is_held and not client.requests
    assert queue.model.classes == () and "point" in queue.model.card.prompts


def test_without_a_worker_the_pending_request_fails(
    queue: RequestQueue, client: SessionClient
) -> None:
    client.paused = True
    queue.predict(clicks(2))
    client.late.append(Failed(0, ValueError("gone")))  # type: ignore[arg-type]
    assert kinds(queue.poll()) == [Failed] and queue.pending is None


def test_a_cancelled_request_says_that_it_stopped(
    queue: RequestQueue, client: SessionClient
) -> None:
    client.paused = True
    queue.predict(clicks(2))
    queue.cancel()
    assert kinds(queue.poll()) == [Stopped] and queue.pending is None
