"""nnInteractive on a server: the package's own one, on a port of this computer."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
from nnInteractive.inference.server.app import make_app
from sample_volumes import make_blob
from waiting import wait_until

from MedSegFMLib import Box, Geometry, Point, Session, Volume, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import ModelError
from MedSegFMLib.models.nninteractive import remote
from MedSegFMLib.registry import card, missing_packages

KEY = "a key"


class Server:
    """The package's server in a thread, which can be stopped and started again on its port."""

    def __init__(self, artifacts: dict[str, Any]) -> None:
        self._artifacts = artifacts
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        app = make_app(
            self._artifacts, torch.device("cpu"), max_sessions=1, torch_n_threads=1,
            do_autozoom=False, api_key=KEY,
        )  # fmt: skip
        config = uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: self._server.started)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def artifacts(nninteractive_folder: Path) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()):
        loader = nnInteractiveInferenceSession(device=torch.device("cpu"), torch_n_threads=1)
        loaded: dict[str, Any] = loader._load_model_artifacts_from_disk(str(nninteractive_folder))
    return loaded


@pytest.fixture
def server(artifacts: dict[str, Any], one_thread: None) -> Iterator[Server]:
    started = Server(artifacts)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def volume() -> Volume:
    return make_blob(Geometry.from_spacing((14, 26, 24), (0.9, 0.9, 2.1)))[0]


def remote_session(server: Server, volume: Volume, **options: str) -> Session:
    model = create("nninteractive", server=server.address, key=KEY, autozoom="no", **options)
    return Session(model, volume)


def mask_of(session: Session) -> np.ndarray:
    return session.predict().mask.array_kji > 0


def test_a_server_gives_the_masks_of_this_computer_also_after_it_was_lost(
    server: Server, volume: Volume, nninteractive_folder: Path
) -> None:
    here = Session(
        create("nninteractive", "cpu", weights=nninteractive_folder, autozoom="no"), volume
    )
    there = remote_session(server, volume)
    geometry = volume.geometry

    def add(prompt: Box | Point) -> None:
        for session in (here, there):
            session.add(prompt, 1)
        assert np.array_equal(mask_of(there), mask_of(here))

    for session in (here, there):
        session.add_object()
    add(Box.from_ijk(geometry, (5, 4, 4), (19, 22, 10)))
    add(Point.from_ijk(geometry, (12, 10, 6)))
    server.stop()
    server.start()
    # The new server knows neither image nor prompts.
    add(Point.from_ijk(geometry, (4, 3, 2), positive=False))
    for session in (here, there):
        session.undo()
    add(Point.from_ijk(geometry, (20, 20, 9)))


def test_a_lost_server_is_one_sentence_and_the_prompts_are_kept(
    server: Server, volume: Volume
) -> None:
    session = remote_session(server, volume)
    session.add(Point.from_ijk(volume.geometry, (12, 10, 6)))
    server.stop()
    with pytest.raises(
        ModelError, match=f"server {server.address} cannot be reached .*kept"
    ) as lost:
        session.predict()
    assert "\n" not in str(lost.value)
    server.start()
    assert mask_of(session).any()


def test_a_session_that_the_server_ended_is_begun_again(server: Server, volume: Volume) -> None:
    session = remote_session(server, volume)
    session.add(Point.from_ijk(volume.geometry, (12, 10, 6)))
    first = mask_of(session)
    upstream: Any = session.segmenter
    # As the server does with those that were idle.
    upstream._live.session._http.post("/release")
    session.add(Point.from_ijk(volume.geometry, (4, 3, 2), positive=False))
    second = mask_of(session)
    assert first.any() and second.any() and not second[2, 3, 4]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": "wrong"}, "refuses the given key; give its key as key=KEY"),
        ({}, "refuses a request without a key"),
        ({"key": KEY, "weights": "/nowhere"}, "leave out either server or weights"),
    ],
)
def test_refusals_are_one_sentence(server: Server, options: dict[str, str], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        create("nninteractive", server=server.address, **options)


def test_a_full_server_and_no_server_are_one_sentence(server: Server, volume: Volume) -> None:
    first = remote_session(server, volume)
    with pytest.raises(ModelError, match=f"sessions of the nnInteractive server {server.address}"):
        remote_session(server, volume)
    first.segmenter._host.close()  # type: ignore[attr-defined]
    remote_session(server, volume)
    for address, said in (
        ("gpu-server:1527", "The server is 'gpu-server:1527'; give its address as server=http://"),
        ("http://127.0.0.1:9", "cannot be reached"),
        ("http://:port:", "check"),
    ):
        with pytest.raises(ModelError, match=said):
            create("nninteractive", server=address)


def test_another_version_is_refused(
    server: Server, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "version", lambda name: "2.5.0")
    with pytest.raises(ModelError, match=r"has the version 2\.\d.*here has 2\.5\.0.*must be the"):
        remote_session(server, volume)
    monkeypatch.undo()
    # The refused one has left its place.
    remote_session(server, volume)


class _Web(BaseHTTPRequestHandler):
    """Anything but an nnInteractive server."""

    body = b"<html>Log in</html>"

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"{}", b"[]", b'{"lease_token": 3}'])
def test_another_web_server_is_one_sentence(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Web, "body", body)
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        with pytest.raises(ModelError) as caught:
            create("nninteractive", server=f"http://127.0.0.1:{web.server_port}")
        assert "\n" not in str(caught.value) and "nninteractive" in str(caught.value).lower()
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


def test_a_server_needs_neither_torch_nor_weights(server: Server) -> None:
    with_server = card("nninteractive").with_options({"server": server.address})
    assert with_server.weights is None and missing_packages(with_server) == []
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["torch", "nnunetv2", "scipy"]))
import numpy as np
from MedSegFMLib import Geometry, Point, Session, Volume, create
array = np.random.default_rng(0).normal(size=(12, 20, 20)).astype(np.float32)
volume = Volume(array, Geometry.from_spacing(array.shape, (1, 1, 1)))
model = create("nninteractive", server={server.address!r}, key={KEY!r}, autozoom="no")
session = Session(model, volume)
session.add(Point.from_ijk(volume.geometry, (9, 9, 6)))
print(int(session.predict().mask.array_kji.sum()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_a_server_is_evaluated_and_no_result_names_it(
    server: Server, volume: Volume, tmp_path: Path
) -> None:
    reference = (volume.array_kji > 50).astype(np.uint8)
    volume.write(tmp_path / "image.nrrd")
    volume.with_array(reference).write(tmp_path / "label.nrrd")
    case = {"name": "blob", "image": "image.nrrd", "label": "label.nrrd", "modality": "MR"}
    (tmp_path / "cases.json").write_text(
        json.dumps({"cases": [{**case, "objects": {"1": "ball"}}]})
    )
    out = tmp_path / "results"
    own = f"server={server.address}&key={KEY}"
    models = f"randomwalk,nninteractive?{own}&autozoom=no,nninteractive?{own}&box=none"
    words = ["evaluate", str(tmp_path / "cases.json"), "--models", models, "--clicks", "1"]
    assert main([*words, "--jobs", "1", "--out", str(out)]) == 1, "one has a wrong option"
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows if row["model"] != "randomwalk"] == [
        "nninteractive?autozoom=no&server=*"
    ] * 2
    assert (out / "failures.csv").read_text().count("box is 'none'") == 1
    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content and server.address.encode() not in content, path
