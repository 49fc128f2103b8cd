"""Downloads of weights, from a server of this test."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib.cli import main
from MedSegFMLib.errors import Cancelled, OutputError, WeightsError
from MedSegFMLib.weights import catalogue, installing, store
from MedSegFMLib.weights.download import Download
from MedSegFMLib.weights.fetch import fetch

_HEADER = json.dumps(
    {
        "__metadata__": {"format": "medsegfm.ensam"},
        "w": {"dtype": "U8", "shape": [600_000], "data_offsets": [0, 600_000]},
    }
).encode()
# Longer than one piece of a download.
CONTENT = len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(range(240)) * 2500


class _Server(http.server.ThreadingHTTPServer):
    """Serves `content` at any address, and remembers the ranges it was asked for."""

    daemon_threads = True
    content = CONTENT
    # Break off after so many bytes of the file; take notice of Range; say how much there is.
    limit: int | None = None
    knows_range = True
    tells_length = True
    status = 200
    redirect: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.ranges: list[str | None] = []
        # Answers stay open until this is set.
        self.gate = threading.Event()
        self.gate.set()
        self.url = f"http://127.0.0.1:{self.server_port}/ensam.safetensors"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        start = int(asked[6:-1]) if asked and server.knows_range else 0
        past_the_end = start >= len(server.content)
        self.send_response(416 if past_the_end else 206 if start else server.status)
        if server.redirect:
            self.send_header("Location", server.redirect)
        if start and not past_the_end:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if server.tells_length:
            self.send_header("Content-Length", str(max(0, len(server.content) - start)))
        self.end_headers()
        # The client may have seen enough.
        with suppress(OSError):
            self.wfile.write(server.content[start : server.limit])
            server.gate.wait(GENEROUS_SECONDS)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = _Server()
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, server: _Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder; nothing is shipped, and ENSAM's weights lie on the server."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setattr(store, "_PACKAGE", tmp_path)
    publish(monkeypatch, url=server.url)
    return tmp_path / "store"


def publish(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Let the catalogue say something else of ENSAM's weights."""
    known = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT), **values}
    item = replace(catalogue.entry("ensam"), **known)
    monkeypatch.setattr(catalogue, "entries", lambda: {"ensam": item})
    monkeypatch.setattr(store, "entries", lambda: {"ensam": item})


def kept(folder: Path) -> int:
    """The bytes of the unfinished download; there must be one, and nothing else."""
    (part,) = folder.iterdir()
    assert part.name.endswith(".part")
    return part.stat().st_size


def test_whole_download_takes_its_name_and_is_recorded(folder: Path) -> None:
    heard: list[float] = []
    path = fetch("ensam", progress=lambda fraction, phrase: heard.append(fraction))
    assert path == folder / "ensam.safetensors" == store.find("ensam")
    assert path.read_bytes() == CONTENT
    store.verify_recorded(path)
    assert sorted(p.name for p in folder.iterdir()) == [path.name, f"{path.name}.sha256"]
    assert len(heard) > 3 and heard == sorted(heard) and heard[-1] == 1.0


@pytest.mark.parametrize("tells_length", [True, False])
def test_download_that_broke_off_goes_on_where_it_stopped(
    tells_length: bool, folder: Path, server: _Server
) -> None:
    server.limit, server.tells_length = 300_000, tells_length
    with pytest.raises(WeightsError, match=f"broke off after 300000 of {len(CONTENT)} bytes"):
        fetch("ensam")
    assert kept(folder) == 300_000
    with pytest.raises(WeightsError, match="No trained weights"):
        store.find("ensam")
    server.limit = None
    assert fetch("ensam").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_server_without_range_begins_again(server: _Server, folder: Path) -> None:
    server.limit, server.knows_range = 300_000, False
    with pytest.raises(WeightsError):
        fetch("ensam")
    server.limit = None
    assert fetch("ensam").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_file_that_was_received_but_not_yet_named_is_taken(
    size: int | None, folder: Path, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, bytes=size)
    folder.mkdir()
    installing.partial(catalogue.entry("ensam")).write_bytes(CONTENT)
    assert fetch("ensam").read_bytes() == CONTENT
    # Without a known size the server is asked, has nothing further, and is asked for the whole.
    assert server.ranges == ([] if size else [f"bytes={len(CONTENT)}-", None])


def test_part_that_is_too_long_is_thrown_away(folder: Path, server: _Server) -> None:
    folder.mkdir()
    installing.partial(catalogue.entry("ensam")).write_bytes(CONTENT + b"x")
    assert fetch("ensam").read_bytes() == CONTENT
    assert server.ranges == [None]


def test_wrong_hash_is_refused_and_nothing_stays(folder: Path, server: _Server) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(WeightsError) as caught:
        fetch("ensam")
    found = hashlib.sha256(server.content).hexdigest()
    assert found in str(caught.value) and "was deleted" in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_answer_that_is_too_large_is_refused(
    tells_length: bool, folder: Path, server: _Server
) -> None:
    server.content, server.tells_length = CONTENT + bytes(10_000_000), tells_length
    said = f"sends more than the {len(CONTENT)} bytes"
    if tells_length:
        said = f"{len(server.content)} bytes, but the weights have {len(CONTENT)}"
    with pytest.raises(WeightsError, match=said):
        fetch("ensam")
    assert list(folder.iterdir()) == []


def test_page_of_a_login_instead_of_the_file_is_refused(folder: Path, server: _Server) -> None:
    server.content = b"<html>Log in to this network"
    with pytest.raises(WeightsError, match="has 28 bytes"):
        fetch("ensam")
    assert list(folder.iterdir()) == []


def test_cancelled_download_is_continued_the_next_time(folder: Path, server: _Server) -> None:
    def stop(fraction: float, phrase: str) -> None:
        raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        fetch("ensam", progress=stop)
    assert 0 < kept(folder) < len(CONTENT)
    assert fetch("ensam").read_bytes() == CONTENT
    assert server.ranges[1] is not None


def test_restricted_licence_is_named_and_asked_for(
    folder: Path, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = {"licence": "CC-BY-NC-SA-4.0", "licence_url": "https://example.org/terms"}
    publish(monkeypatch, url=server.url, permissive=False, **terms)
    with pytest.raises(WeightsError) as caught:
        fetch("ensam")
    for word in (*terms.values(), "medsegfm weights fetch ensam --accept-licence"):
        assert word in str(caught.value)
    assert server.ranges == [] and not folder.exists()
    assert fetch("ensam", accept_licence=True).is_file()


def test_weights_that_nobody_published_name_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, url=None)
    with pytest.raises(WeightsError, match=r"published for download.*weights import ensam FILE"):
        fetch("ensam")


def test_weights_that_are_here_are_not_fetched_again(server: _Server) -> None:
    path = fetch("ensam")
    assert fetch("ensam") == path
    assert len(server.ranges) == 1


def test_shipped_weights_are_not_fetched(tmp_path: Path, server: _Server) -> None:
    (tmp_path / "ensam.safetensors").write_bytes(CONTENT)
    assert fetch("ensam") == tmp_path / "ensam.safetensors"
    assert server.ranges == []


@pytest.mark.parametrize("place", ["store", "."])
def test_damaged_weights_are_fetched_anew(place: str, tmp_path: Path) -> None:
    path = fetch("ensam").rename(tmp_path / place / "ensam.safetensors")
    path.write_bytes(CONTENT[:-1] + b"x")
    assert fetch("ensam") == tmp_path / "store" / "ensam.safetensors"
    store.verify_recorded(store.find("ensam"))


def test_weights_of_the_users_own_are_not_overwritten(tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.write_bytes(CONTENT[:-1] + b"x")
    path = installing.import_file("ensam", own)
    with pytest.raises(WeightsError, match="medsegfm weights remove ensam"):
        fetch("ensam")
    assert path.read_bytes() == own.read_bytes()


def test_a_download_that_fails_its_trial_is_deleted_and_the_installed_file_stays(
    folder: Path, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, path: Path, progress: Any) -> None:
        raise WeightsError(f"{path} finds nothing.")

    path = fetch("ensam")
    # The catalogue knows a newer file, and the installed one is damaged in its eyes.
    other = CONTENT[:-1] + b"y"
    server.content = other
    publish(monkeypatch, url=server.url, sha256=hashlib.sha256(other).hexdigest())
    path.with_name(f"{path.name}.sha256").write_text(
        f"{hashlib.sha256(other).hexdigest()}  {path.name}\n", encoding="utf-8"
    )
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(WeightsError, match="finds nothing"):
        fetch("ensam", trial=refuse)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_unreachable_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        publish(monkeypatch, url=f"http://127.0.0.1:{free.getsockname()[1]}/x")
        with pytest.raises(WeightsError, match=r"cannot be downloaded .*try again"):
            fetch("ensam")


def test_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedSegFMLib.weights.transfer._TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        publish(monkeypatch, url=f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(WeightsError, match="the server does not answer"):
            fetch("ensam")


def test_server_that_talks_nonsense_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.recv(1000)
        connection.sendall(b"SSH-2.0\r\n\r\n")
        connection.close()

    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()
        threading.Thread(target=answer, args=(odd,), daemon=True).start()
        publish(monkeypatch, url=f"http://127.0.0.1:{odd.getsockname()[1]}/x")
        with pytest.raises(WeightsError, match="cannot be downloaded"):
            fetch("ensam")


def test_answer_of_the_server_is_told(server: _Server) -> None:
    server.status = 404
    with pytest.raises(WeightsError, match="the server answers 404"):
        fetch("ensam")


@pytest.mark.parametrize(
    "url", ["http://example.org/e", "ftp://example.org/e", "ensam.safetensors", "data:,abc"]
)
def test_address_without_encryption_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, url=url)
    with pytest.raises(WeightsError, match="not an https address"):
        fetch("ensam")


def test_redirection_away_from_https_is_refused(server: _Server) -> None:
    server.status, server.redirect = 302, "http://example.org/ensam"
    with pytest.raises(WeightsError, match=r"http://example.org/ensam is not an https address"):
        fetch("ensam")


def test_file_address_serves_a_folder_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle of weights"
    bundle.write_bytes(CONTENT)
    publish(monkeypatch, url=bundle.as_uri())
    assert fetch("ensam").read_bytes() == CONTENT == bundle.read_bytes()
    installing.remove("ensam")
    bundle.unlink()
    with pytest.raises(WeightsError, match="cannot be downloaded"):
        fetch("ensam")


def test_disk_without_room_is_told_before_anything_comes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(Path.cwd())._replace(free=1000)
    monkeypatch.setattr("MedSegFMLib.weights.transfer.shutil.disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="0 MB free, but 1 MB are needed"):
        fetch("ensam")
    assert kept(folder) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has it")
def test_disk_that_fills_up_is_told(folder: Path) -> None:
    folder.mkdir()
    installing.partial(catalogue.entry("ensam")).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"No space left.*free some space"):
        fetch("ensam")


def test_folder_that_cannot_be_used_is_named(folder: Path) -> None:
    folder.mkdir()
    installing.partial(catalogue.entry("ensam")).mkdir()
    with pytest.raises(OutputError, match="MEDSEGFM_WEIGHTS"):
        fetch("ensam")


def test_folder_that_cannot_be_made_is_named(folder: Path) -> None:
    folder.write_text("a file is in the way")
    with pytest.raises(WeightsError, match="MEDSEGFM_WEIGHTS"):
        fetch("ensam")


def wait(download: Download) -> None:
    wait_until(lambda: download.done, describe=lambda: "the download did not end")


def test_download_beside_the_caller_ends_with_a_path(folder: Path) -> None:
    download = Download("ensam")
    wait(download)
    assert download.error is None and download.path == folder / "ensam.safetensors"
    assert download.fraction == 1.0


def test_download_beside_the_caller_ends_with_an_error(server: _Server) -> None:
    server.status = 500
    download = Download("ensam")
    wait(download)
    assert isinstance(download.error, WeightsError) and download.path is None


def test_download_beside_the_caller_can_be_stopped(folder: Path, server: _Server) -> None:
    server.limit = 300_000
    server.gate.clear()
    download = Download("ensam")
    wait_until(lambda: download.fraction > 0.1 or download.done)
    assert not download.done and download.phrase.startswith("Downloading")
    download.cancel()
    server.gate.set()
    wait(download)
    assert isinstance(download.error, Cancelled) and kept(folder) > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_download_that_fails_in_an_unforeseen_way_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> Path:
        raise RuntimeError("Nobody thought of this.")

    monkeypatch.setattr("MedSegFMLib.weights.download.fetch", fail)
    download = Download("ensam")
    wait(download)
    assert download.path is None and "ended unexpectedly" in str(download.error)


@pytest.mark.usefixtures("untried")
def test_the_command_fetches_and_tells_the_licence(
    server: _Server, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    publish(monkeypatch, url=server.url, permissive=False, licence="CC-BY-NC-SA-4.0")
    assert main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert "CC-BY-NC-SA-4.0" in listed and "can be fetched" in listed and "0.6 MB" in listed
    assert main(["weights", "fetch", "ensam"]) == 2
    assert "--accept-licence" in capsys.readouterr().err
    assert main(["weights", "fetch", "ensam", "--accept-licence"]) == 0
    assert "licence CC-BY-NC-SA-4.0" in capsys.readouterr().out
    assert main(["weights", "list"]) == 0 and "published" in capsys.readouterr().out
