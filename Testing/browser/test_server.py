"""The server without a browser: what it refuses, how files arrive, and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from browser_server import BrowserServer
from dicom_files import slices, write_files
from waiting import wait_until

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.browser.access import TOKEN_HEADER
from MedSegFMLib.browser.view_image import HEADER
from MedSegFMLib.browser.web import LARGEST_MESSAGE_BYTES
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation

BOUNDARY = "xxBOUNDARYxx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ball_file: Path) -> Iterator[BrowserServer]:
    made = BrowserServer(tmp_path_factory.mktemp("home"), "--model", "randomwalk")
    yield made
    made.close()


class Caller:
    """Requests as a program makes them; those of the page have the token and its origin."""

    def __init__(self, server: BrowserServer) -> None:
        self.port, self.host = server.port, f"127.0.0.1:{server.port}"
        self.own = {TOKEN_HEADER: server.token, "Origin": f"http://{self.host}"}

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def upload(
        self, *files: tuple[str, bytes], cut: bool = False, path: str = "/volumes"
    ) -> tuple[int, str]:
        parts = b"".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "\r\n".encode()
            + data
            + b"\r\n"
            for name, data in files
        )
        body = parts[:-20] if cut else parts + f"--{BOUNDARY}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        status, _, answer = self.ask("POST", path, self.own | kind, body)
        return status, json.loads(answer)["error"]


@pytest.fixture
def caller(server: BrowserServer) -> Caller:
    return Caller(server)


def test_the_page_is_the_same_for_all_and_the_work_needs_the_token(server: BrowserServer) -> None:
    caller = Caller(server)
    status, headers, body = caller.ask("GET", "/", {})
    assert status == 200
    assert server.token.encode() not in body
    # Browsers send a cookie to every port of a computer, so to the servers of its other users.
    assert "Set-Cookie" not in headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    # Nothing of the page comes from elsewhere.
    assert b"http://" not in body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in body
    assert caller.ask("GET", "/static/workstation.js", {})[0] == 200
    for path in ("/session", "/prompts.json", "/results/labelmap", "/unknown"):
        # A token in the address would be written to logs; it is none there.
        for query in ("", f"?token={server.token}"):
            status, _, body = caller.ask("GET", path + query, {})
            assert (status, b"token" in body) == (403, True), path
    assert caller.ask("GET", "/session", caller.own)[0] == 204


def test_a_page_connects_with_the_token_as_a_protocol(
    caller: Caller, server: BrowserServer
) -> None:
    async def run() -> str | None:
        async with (
            aiohttp.ClientSession(headers={"Origin": caller.own["Origin"]}) as session,
            session.ws_connect(
                f"ws://{caller.host}/socket", protocols=("medsegfm", server.token)
            ) as socket,
        ):
            return socket.protocol

    # The answer names the first alone, so the token is not repeated.
    assert asyncio.run(run()) == "medsegfm"


@pytest.mark.parametrize(
    ("method", "path", "changed"),
    [
        ("GET", "/", {"Host": "evil.example"}),
        ("GET", "/", {"Origin": "http://evil.example"}),
        ("GET", "/results/labelmap", {"Origin": "http://evil.example"}),
        ("GET", "/results/labelmap", {"Origin": None, "Sec-Fetch-Site": "cross-site"}),
        ("POST", "/volumes", {"Origin": "http://evil.example"}),
        ("POST", "/volumes", {"Origin": None}),
        ("POST", "/segments", {"Sec-Fetch-Site": "same-site"}),
        ("GET", "/socket", {"Origin": "http://evil.example"}),
        ("GET", "/socket", {"Origin": None}),
        ("GET", "/socket", {TOKEN_HEADER: None, "Cookie": "medsegfm=wrong"}),
        ("GET", "/socket", {TOKEN_HEADER: None, "Sec-WebSocket-Protocol": "medsegfm, wrong"}),
        ("GET", "/session", {TOKEN_HEADER: "wrong"}),
        ("GET", "/prompts.json", {TOKEN_HEADER: None}),
        ("POST", "/volumes", {TOKEN_HEADER: None}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value.strip("/"),
)
def test_a_foreign_request_is_refused(
    caller: Caller, method: str, path: str, changed: dict[str, str | None]
) -> None:
    headers = {name: text for name, text in (caller.own | changed).items() if text is not None}
    assert caller.ask(method, path, headers)[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/static/../desk.py", "/static/%2e%2e%2fdesk.py", "/static/..%5cdesk.py", "/etc/passwd"],
)
def test_no_path_leads_to_other_files(caller: Caller, path: str) -> None:
    assert caller.ask("GET", path, caller.own)[0] == 404


def test_damaged_uploads_are_explained_and_leave_nothing(caller: Caller) -> None:
    status, error = caller.upload(("ct.nii.gz", b"not a volume"))
    assert status == 400
    assert "ct.nii.gz" in error
    assert "medsegfm-uploads" not in error
    status, error = caller.upload(("ct.nrrd", b"x" * 100_000), cut=True)
    assert status == 400
    assert "cut off" in error or "damaged" in error
    status, _, body = caller.ask("POST", "/volumes", caller.own, b"abc")
    assert (status, b"multipart" in body) == (400, True)
    assert caller.upload()[0] == 400


def test_a_volume_arrives_whole(caller: Caller, ball_file: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.nrrd"
    assert caller.upload((ball_file.name, ball_file.read_bytes())) == (200, "")
    noise = np.random.default_rng(0).integers(0, 999, (40, 90, 90)).astype(np.int16)
    Volume(noise, Geometry.from_spacing(noise.shape, (1.0, 1.0, 1.0))).write(large)
    # Larger than any message may be.
    assert large.stat().st_size > LARGEST_MESSAGE_BYTES
    assert caller.upload((large.name, large.read_bytes())) == (200, "")


def test_a_file_of_the_challenge_arrives_in_the_order_of_its_spacing(
    start_server: Callable[..., BrowserServer], tmp_path: Path
) -> None:
    voxels = np.random.default_rng(0).integers(0, 255, (10, 16, 16)).astype(np.uint8)
    path = tmp_path / "CT_a.npz"
    np.savez_compressed(path, imgs=voxels, spacing=(4.0, 1.0, 1.0))
    server = start_server("--model", "randomwalk", "--spacing-order", "zyx", str(path))
    caller = Caller(server)

    async def volume() -> dict[str, Any]:
        """The section of the volume, as a page gets it."""
        async with (
            aiohttp.ClientSession(headers={"Origin": caller.own["Origin"]}) as session,
            session.ws_connect(
                f"ws://{caller.host}/socket", protocols=("medsegfm", server.token)
            ) as socket,
        ):
            await socket.send_json({"type": "hello"})
            found = json.loads(await asyncio.wait_for(socket.receive_str(), 60))
            return dict(found["volume"])

    assert "1 × 1 × 4 mm" in asyncio.run(volume())["facts"]
    copy = ("CT_b.npz", path.read_bytes())
    assert caller.upload(copy) == (200, "")
    found = asyncio.run(volume())
    assert found["name"] == "CT_b" and "1 × 1 × 4 mm" in found["facts"]
    status, error = caller.upload(("CT_c.npz", b"no archive"))
    assert status == 400 and "cannot be read as npz" in error and "medsegfm-uploads" not in error


def test_segments_of_a_file_are_shown_beside_the_volume(
    caller: Caller, ball_file: Path, tmp_path: Path
) -> None:
    assert caller.upload((ball_file.name, ball_file.read_bytes())) == (200, "")
    volume = Volume.read(ball_file)
    labels = volume.with_array((volume.array_kji > 100).astype(np.uint8))
    # On every second slice only, as a file of another grid.
    path = tmp_path / "labels.nii.gz"
    labels.resample(labels.geometry.resampled((1.0, 1.0, 2.0)), order=0).write(path)
    sent = (path.name, path.read_bytes())
    assert caller.upload(sent, path="/segments") == (200, "")
    status, error = caller.upload(("labels.nii.gz", b"x"), path="/segments")
    assert (status, "labels.nii.gz" in error) == (400, True)

    async def rows() -> list[str]:
        async with (
            aiohttp.ClientSession(headers=caller.own) as session,
            session.ws_connect(f"ws://{caller.host}/socket") as socket,
        ):
            await socket.send_str(json.dumps({"type": "hello"}))
            while True:
                answer = await socket.receive(timeout=120)
                if answer.type is aiohttp.WSMsgType.TEXT:
                    return [row["name"] for row in json.loads(answer.data)["segments"]["rows"]]

    assert len(asyncio.run(rows())) == 1


def _talk(caller: Caller, *messages: str | bytes) -> Any:
    """Sends messages over a socket; returns the code with which the server closes it."""

    async def run() -> Any:
        address = f"ws://{caller.host}/socket"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers=caller.own) as socket,
        ):
            for message in messages:
                if isinstance(message, bytes):
                    await socket.send_bytes(message)
                else:
                    await socket.send_str(message)
            while not socket.closed:
                await socket.receive(timeout=120)
            return socket.close_code

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("x" * (LARGEST_MESSAGE_BYTES + 1), 1009),
        (b"binary", 1003),
        ("no JSON", 1007),
        ("[1]", 1007),
    ],
    ids=["oversized", "binary", "text", "list"],
)
def test_a_message_that_is_none_ends_the_connection(
    caller: Caller, message: str | bytes, code: int
) -> None:
    assert _talk(caller, message) == code


def test_unknown_actions_and_bad_values_change_nothing_and_are_explained(caller: Caller) -> None:
    bad = [
        {"type": "act"},
        {"type": "act", "action": "__init__"},
        {"type": "act", "action": "slice", "view": 99, "slice": 0},
        {"type": "act", "action": "size", "view": 0, "width": "1e9", "height": 1},
        {"type": "act", "action": "draw", "kind": "box", "view": 0, "image": 1, "places": []},
        {"type": "drawn", "view": -1},
    ]

    async def run() -> list[str]:
        address = f"ws://{caller.host}/socket"
        seen: list[str] = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers=caller.own) as socket,
        ):
            await socket.send_str(json.dumps({"type": "hello"}))
            for message in bad:
                await socket.send_str(json.dumps(message))
            # Anything that was sent before is answered before this.
            await socket.send_str(json.dumps({"type": "act", "action": "last of all"}))
            while not any("last of all" in text for text in seen):
                answer = await socket.receive(timeout=120)
                if answer.type is aiohttp.WSMsgType.TEXT:
                    seen.append(answer.data)
        return seen

    log = json.loads([text for text in asyncio.run(run()) if '"status"' in text][-1])["status"]
    assert log["isError"]
    assert sum("Reload" in line or "reload" in line for line in log["log"]) >= len(bad)


def test_a_dicom_series_gives_a_dicom_seg_of_its_images(tmp_path: Path) -> None:
    array = np.full((6, 32, 32), 20, np.int16)
    array[1:5, 8:24, 8:24] = 200
    folder = tmp_path / "series"
    write_files(folder, slices(array, step=(0, 0, 3.0), spacing=(0.8, 0.8)))
    server = BrowserServer(tmp_path, str(folder), "--model", "randomwalk")

    async def run() -> bytes:
        caller = Caller(server)
        async with (
            aiohttp.ClientSession(headers=caller.own) as session,
            session.ws_connect(f"ws://{caller.host}/socket") as socket,
        ):
            await socket.send_str(json.dumps({"type": "hello"}))
            image = None
            while image is None:
                answer = await socket.receive(timeout=120)
                if answer.type is aiohttp.WSMsgType.BINARY:
                    view, _, width, height, number = HEADER.unpack_from(answer.data)
                    image = (number, width, height) if view == 0 else None
            draw = {"type": "act", "action": "draw", "kind": "positive", "view": 0}
            places = [[image[1] / 2, image[2] / 2]]
            await socket.send_str(json.dumps(draw | {"image": image[0], "places": places}))
            while True:
                answer = await socket.receive(timeout=120)
                if answer.type is aiohttp.WSMsgType.TEXT and "Done." in answer.data:
                    break
            async with session.get(f"http://{caller.host}/results/dicomseg") as found:
                assert found.status == 200, await found.text()
                return await found.read()

    try:
        path = tmp_path / "result.dcm"
        path.write_bytes(asyncio.run(run()))
        segments = Segmentation.read(path).segments
        assert len(segments) == 1
        assert segments[0].voxels > 100
    finally:
        server.close()


def test_the_server_ends_by_itself_when_its_page_is_closed(tmp_path: Path) -> None:
    server = BrowserServer(tmp_path, "--closed-seconds", "1", keeps=False)
    try:
        caller = Caller(server)

        async def look() -> None:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"ws://{caller.host}/socket", headers=caller.own),
            ):
                pass

        asyncio.run(look())
        wait_until(lambda: server.process.poll() is not None, describe=server.output)
        assert server.process.returncode == 0, server.output()
        assert "page was closed" in server.output()
    finally:
        server.close()


def test_ctrl_c_ends_the_server_and_its_worker(tmp_path: Path, ball_file: Path) -> None:
    server = BrowserServer(tmp_path, str(ball_file), "--model", "randomwalk")
    try:
        wait_until(server.worker_ids, describe=server.output)
        workers = server.worker_ids()
        assert server.interrupt() == 0, server.output()
        wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in workers))
        assert "Traceback" not in server.output()
    finally:
        server.close()


def test_ctrl_c_tells_the_pages_that_are_open(tmp_path: Path) -> None:
    server = BrowserServer(tmp_path)
    caller = Caller(server)

    async def run() -> Any:
        async with (
            aiohttp.ClientSession(headers=caller.own) as session,
            session.ws_connect(f"ws://{caller.host}/socket") as socket,
        ):
            server.process.send_signal(signal.SIGINT)
            while not socket.closed:
                await socket.receive(timeout=120)
            return socket.close_code

    try:
        assert asyncio.run(run()) == aiohttp.WSCloseCode.GOING_AWAY
        wait_until(lambda: server.process.poll() is not None, describe=server.output)
        assert server.process.returncode == 0, server.output()
        assert "Traceback" not in server.output()
    finally:
        server.close()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no terminals")
def test_the_end_of_the_terminal_leaves_no_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    server = BrowserServer(tmp_path)
    try:
        assert list(folder.glob("medsegfm-uploads-*"))
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.process.poll() is not None, describe=server.output)
        assert server.process.returncode == 0, server.output()
        assert not list(folder.glob("medsegfm-uploads-*"))
    finally:
        server.close()


def test_an_address_for_others_is_warned_of(tmp_path: Path) -> None:
    server = BrowserServer(tmp_path, "--host", "0.0.0.0")
    try:
        assert "Warning: 0.0.0.0 is reached by other computers" in server.output()
        assert f"ssh -L {server.port}:127.0.0.1:{server.port}" in server.output()
    finally:
        server.close()
