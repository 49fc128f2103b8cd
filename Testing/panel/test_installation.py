"""A Slicer that lacks something: the panel opens, explains, and installs on a click."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from subprocess import CalledProcessError
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from host.panel_driver import Desk
from packaging.requirements import Requirement

from MedSegFMLib import registry
from MedSegFMLib.weights import catalogue, store


@pytest.fixture
def pip(bare: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str, threading.Thread]]:
    """A Slicer with none of the light requirements; what it is asked to install, and where."""
    import slicer.packaging

    calls: list[tuple[Any, str, threading.Thread]] = []

    def ensure(requirements: Any, requester: str = "", **_: Any) -> None:
        calls.append((requirements, requester, threading.current_thread()))

    monkeypatch.setattr(slicer.packaging, "pip_check", lambda *_: bool(calls))
    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    return calls


@pytest.fixture
def torch_model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ENSAM as a model that needs torch, in a Slicer without."""
    card = registry.card("ensam")
    module = sys.modules[registry.MODELS["ensam"]]
    needy = replace(card, packages=("torch",), title="Needs torch")
    monkeypatch.setattr(module, "CARD", needy)
    find_spec = registry.find_spec
    missing = {"torch"}
    monkeypatch.setattr(
        registry, "find_spec", lambda name: None if name in missing else find_spec(name)
    )
    return missing


def choose(desk: Desk, model: str) -> None:
    """Choose a model in the list."""
    names = [choice.value for choice in type(desk.panel.parameters.model)]
    desk.ui.modelSelector.currentIndex = names.index(model)
    desk.wait()


def shown(widget: Any) -> bool:
    """Whether a widget would be seen with the panel on the screen."""
    return not widget.isHidden()


def test_the_panel_opens_on_a_bare_slicer_and_installs_on_a_click(
    pip: list[Any], bare: Any
) -> None:
    desk = Desk(bare)
    assert pip == []
    assert shown(desk.ui.setupFrame) and "packages" in desk.ui.setupLabel.text
    desk.ui.installButton.click()
    ((requirements, requester, thread),) = pip
    assert {"safetensors", "openvino"} <= {r.name for r in requirements}
    assert requester == "MedSegFM"
    assert thread is threading.main_thread()
    assert not shown(desk.ui.setupFrame)
    desk.close()


@pytest.mark.parametrize(
    "error", [RuntimeError("the user declined"), CalledProcessError(1, "pip")], ids=["no", "failed"]
)
def test_a_declined_or_failed_installation_is_one_sentence(
    bare: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import slicer.packaging

    def ensure(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(slicer.packaging, "pip_check", lambda *_: False)
    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    desk = Desk(bare)
    desk.ui.installButton.click()
    assert "click Install" in desk.ui.statusLabel.text and shown(desk.ui.setupFrame)
    if isinstance(error, CalledProcessError):
        assert registry.card("randomwalk").title in desk.ui.statusLabel.text
    desk.close()


def test_a_network_waits_for_something_that_runs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMPanel.model import installation

    monkeypatch.setattr(installation, "find_spec", lambda _name: None)
    assert not desk.panel.installation.has_all(registry.card("ensam"))
    assert desk.panel.installation.has_all(registry.card("randomwalk"))


@pytest.fixture
def pip_options(bare: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How pip is called when something is missing; "constraints" is what the file contains."""
    import slicer.packaging

    calls: list[dict[str, Any]] = []

    def ensure(requirements: Any, constraints: Path, **options: Any) -> None:
        lines = constraints.read_text(encoding="utf-8").splitlines()
        calls.append({"requirements": requirements, "constraints": lines, **options})

    monkeypatch.setattr(slicer.packaging, "pip_check", lambda *_: bool(calls))
    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    return calls


def test_install_holds_every_installed_package_in_its_version(
    pip_options: list[dict[str, Any]], bare: Any
) -> None:
    desk = Desk(bare)
    desk.ui.installButton.click()
    ((call),) = pip_options
    pins = {Requirement(line).name.lower(): line for line in call["constraints"]}
    assert len(pins) == len(call["constraints"])
    for name in ("numpy", "scipy", "SimpleITK", "requests", "torch", "pip"):
        assert pins[name.lower()].endswith(f"=={metadata.version(name)}")
    # What is too old is replaced by what is asked for.
    assert not {r.name.lower() for r in call["requirements"]} & pins.keys()
    desk.close()


def test_packages_with_names_and_versions_of_any_kind_become_one_line_each(
    monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    from MedSegFMPanel.model import constraints

    found = [("NumPy", "2.4.6"), ("numpy", "1.0"), ("a.b_c", "1"), ("torch", "2.9.0+cu128")]
    found += [("old", "0.1"), ("slicer", "5.12-rc1-dirty"), ("nameless", None), (None, "1")]
    monkeypatch.setattr(
        constraints.metadata,
        "distributions",
        lambda: [SimpleNamespace(name=name, version=version) for name, version in found],
    )
    with constraints.held_packages(["Old"]) as path:
        lines = path.read_text(encoding="utf-8").splitlines()
    assert lines == ["a.b_c==1", "NumPy==2.4.6", "torch==2.9.0+cu128"]
    assert not path.exists()


def test_a_mac_is_told_about_torch_before_anything_is_installed(
    pip_options: list[dict[str, Any]],
    bare: Any,
    torch_model: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from MedSegFMPanel.model import installation

    monkeypatch.setattr(installation.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(installation.platform, "machine", lambda: "x86_64")
    desk = Desk(bare)
    choose(desk, "ensam")
    sentence = desk.ui.setupLabel.text
    assert "none for Slicer on macOS" in sentence and registry.card("randomwalk").title in sentence
    assert not shown(desk.ui.installButton)
    desk.panel.attempt(desk.panel.models._install)
    assert "none for Slicer on macOS" in desk.ui.statusLabel.text and pip_options == []
    monkeypatch.setattr(installation.platform, "machine", lambda: "arm64")
    desk.panel.models.look_again()
    desk.panel.refresh()
    assert "the extension PyTorch installs" in desk.ui.setupLabel.text
    assert shown(desk.ui.installButton)
    desk.close()


def test_importing_and_opening_needs_neither_torch_nor_openvino(bare: Any) -> None:
    loaded = set(sys.modules)
    desk = Desk(bare)
    assert not {"torch", "openvino", "onnxruntime"} & (set(sys.modules) - loaded)
    desk.close()


def test_torch_comes_once_through_its_extension_and_asks_for_a_restart(
    bare: Any, torch_model: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    class Logic:
        def installTorch(self, **words: Any) -> object:  # noqa: N802
            calls.append((words, threading.current_thread()))
            held.append(Path(url2pathname(urlsplit(os.environ["PIP_CONSTRAINT"]).path)).read_text())
            return object()

    held: list[str] = []
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=Logic))
    desk = Desk(bare)
    choose(desk, "ensam")
    assert "PyTorch" in desk.ui.setupLabel.text and calls == []
    desk.ui.installButton.click()
    assert calls == [({"askConfirmation": True}, threading.main_thread())]
    names = {line.partition("==")[0].lower() for line in held[0].splitlines()}
    assert names == {"numpy", "scipy", "simpleitk", "requests"}
    assert "PIP_CONSTRAINT" not in os.environ
    assert "restart Slicer" in desk.ui.setupLabel.text
    assert not shown(desk.ui.installButton)
    desk.panel.attempt(desk.panel.models._install)
    assert len(calls) == 1
    # After the restart torch is there, and the model is still the chosen one.
    torch_model.clear()
    desk.close()
    later = Desk(bare)
    assert later.panel.parameters.model.value == "ensam"
    assert "PyTorch" not in later.ui.setupLabel.text
    later.close()


def test_without_the_pytorch_extension_one_sentence_says_what_to_do(
    bare: Any, torch_model: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    desk = Desk(bare)
    choose(desk, "ensam")
    desk.ui.installButton.click()
    assert "Extensions Manager" in desk.ui.statusLabel.text
    desk.close()


def test_what_is_missing_keeps_the_prompts_off_and_says_why(
    desk: Desk, torch_model: set[str]
) -> None:
    desk.load()
    choose(desk, "ensam")
    assert not desk.ui.boxButton.enabled
    assert "cannot run" in desk.ui.promptHint.text


def test_each_empty_state_tells_what_to_do_next(desk: Desk) -> None:
    assert "Load a volume" in desk.ui.volumeHint.text
    assert "choose a volume" in desk.ui.promptHint.text
    assert "first prompt" in desk.ui.segmentHint.text and shown(desk.ui.segmentHint)
    desk.load()
    assert not shown(desk.ui.volumeHint)
    assert "Draw a box" in desk.ui.promptHint.text
    desk.box_the_ball()
    assert "mistake" in desk.ui.promptHint.text and not shown(desk.ui.segmentHint)


def test_a_volume_without_voxels_is_explained(desk: Desk) -> None:
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
    desk.wait()
    assert "hollow" in desk.ui.volumeHint.text
    assert not desk.ui.boxButton.enabled


def test_the_model_says_what_it_takes_and_costs(desk: Desk) -> None:
    assert "boxes, clicks" in desk.ui.modelTakes.text
    for word in ("Weights are installed", "Apache-2.0", "free"):
        assert word in desk.ui.modelState.text
    choose(desk, "randomwalk")
    for word in ("No weights needed", "Apache-2.0", "free"):
        assert word in desk.ui.modelState.text
    choose(desk, "ellipsoid")
    assert "boxes" in desk.ui.modelTakes.text and "clicks" not in desk.ui.modelTakes.text
    assert shown(desk.ui.boxButton)
    assert not shown(desk.ui.positiveButton) and not shown(desk.ui.lassoButton)
    assert not shown(desk.ui.textRow)


def test_a_model_that_does_not_take_the_prompts_is_refused_and_the_choice_goes_back(
    desk: Desk,
) -> None:
    desk.load()
    desk.ui.positiveButton.click()
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 1)
    desk.wait()
    choose(desk, "ellipsoid")
    assert "does not support point prompts" in desk.ui.statusLabel.text
    assert desk.panel.parameters.model.value == registry.DEFAULT_MODEL
    assert desk.ui.modelSelector.currentText == registry.card(registry.DEFAULT_MODEL).title


class NoTrial:
    """A trial that any weights pass, for files of this test that no network has."""

    left_out = ""

    def __init__(self, _options: Any) -> None: ...

    def __call__(self, *_: Any) -> None: ...


def import_now(desk: Desk) -> None:
    """Click on Import weights, and wait for the end of the trial and the import."""
    desk.ui.importButton.click()
    desk.wait(lambda: not desk.panel.models.installing.is_busy)


class _Files(http.server.BaseHTTPRequestHandler):
    """Serves `content`, and breaks off after `limit` bytes."""

    content = b""
    limit: int | None = None
    ranges: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked:
            self.ranges.append(asked)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : self.limit])

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def published(bare: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Files]]:
    """ENSAM's weights on a server of this test, under a licence that must be accepted."""
    header = json.dumps({"__metadata__": {"format": "medsegfm.ensam"}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    entry = replace(
        catalogue.entry("ensam"),
        url=f"http://127.0.0.1:{server.server_port}/ensam.safetensors",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        licence="CC-BY-NC-SA-4.0",
        licence_url="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        permissive=False,
        file="ensam-test.safetensors",
    )
    monkeypatch.setattr(catalogue, "entries", lambda: {"ensam": entry})
    monkeypatch.setattr(store, "entries", lambda: {"ensam": entry})
    _Files.content, _Files.limit, _Files.ranges = content, None, []
    yield _Files
    server.shutdown()
    server.server_close()


def test_a_restricted_licence_is_shown_and_accepted_before_the_download(
    published: Any, bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qt
    import slicer

    qt.QSettings().remove("MedSegFM/acceptedLicences/ensam")
    asked: list[str] = []
    answers = [False, True]

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    desk = Desk(bare)
    desk.panel.models.installing.make_trial = NoTrial
    choose(desk, "ensam")
    assert shown(desk.ui.downloadButton)
    desk.ui.downloadButton.click()
    assert (
        "weights of ENSAM" in asked[0]
        and "CC-BY-NC-SA-4.0" in asked[0]
        and "by-nc-sa/4.0/" in asked[0]
    )
    assert not desk.panel.models.installing.is_busy
    desk.ui.downloadButton.click()
    desk.wait(lambda: not desk.panel.models.installing.is_busy)
    assert (store.folder() / "ensam-test.safetensors").is_file(), desk.ui.statusLabel.text
    assert "verified" in desk.ui.statusLabel.text and not shown(desk.ui.downloadButton)
    answers.append(True)
    desk.ui.removeWeightsButton.click()
    assert not (store.folder() / "ensam-test.safetensors").exists()
    assert shown(desk.ui.downloadButton)
    desk.close()


def test_a_download_that_broke_off_goes_on_where_it_stopped(published: Any, bare: Any) -> None:
    from MedSegFMLib.errors import WeightsError
    from MedSegFMLib.weights.fetch import fetch

    published.limit = 20
    with pytest.raises(WeightsError, match="broke off after 20"):
        fetch("ensam", accept_licence=True)
    published.limit = None
    path = fetch("ensam", accept_licence=True)
    assert path.read_bytes() == published.content and published.ranges == ["bytes=20-"]
    assert [p.name for p in store.folder().glob("*.part")] == []


def test_a_download_with_another_sha256_is_thrown_away(published: Any, bare: Any) -> None:
    from MedSegFMLib.errors import WeightsError
    from MedSegFMLib.weights.fetch import fetch

    published.content = published.content[:-1] + b" "
    with pytest.raises(WeightsError):
        fetch("ensam", accept_licence=True)
    assert list(store.folder().glob("*")) == []


def test_weights_are_imported_from_a_file(published: Any, bare: Any, tmp_path: Path) -> None:
    desk = Desk(bare)
    desk.panel.models.installing.make_trial = NoTrial
    choose(desk, "ensam")
    source = tmp_path / "bundle.safetensors"
    source.write_bytes(published.content)
    desk.panel.dialogs.path = str(source)
    import_now(desk)
    assert "imported" in desk.ui.statusLabel.text
    source.write_bytes(b"no weights")
    import_now(desk)
    assert desk.ui.statusLabel.text.startswith(str(source))
    desk.close()


def test_imported_weights_go_before_the_shipped_ones_until_they_are_removed(
    bare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    shipped = store.shipped("ensam")
    assert shipped is not None
    own = tmp_path / "own.safetensors"
    own.write_bytes(shipped.read_bytes())
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    desk = Desk(bare)
    choose(desk, "ensam")
    desk.load()
    assert shown(desk.ui.importButton) and not desk.ui.removeWeightsButton.enabled
    worker = desk.clients[-1]
    desk.panel.dialogs.path = str(own)
    import_now(desk)
    assert store.find("ensam").parent == store.folder()
    assert desk.clients[-1] is not worker, "a running model has the weights of before"
    assert desk.ui.removeWeightsButton.enabled
    desk.ui.removeWeightsButton.click()
    assert store.find("ensam") == shipped and "shipped" in desk.ui.statusLabel.text
    assert not desk.ui.removeWeightsButton.enabled and desk.panel.models.can_run
    desk.close()


def test_weights_that_find_nothing_are_refused_and_the_shipped_ones_stay(
    bare: Any, tmp_path: Path
) -> None:
    from hostile_weights import with_payload

    shipped = store.shipped("ensam")
    assert shipped is not None
    bad = tmp_path / "random.safetensors"
    bad.write_bytes(with_payload(shipped.read_bytes(), "random"))
    desk = Desk(bare)
    choose(desk, "ensam")
    desk.load()
    worker = desk.clients[-1]
    desk.panel.dialogs.path = str(bad)
    import_now(desk)
    assert f"weights {bad} does not find a bright ball" in desk.ui.statusLabel.text
    assert store.find("ensam") == shipped and desk.clients[-1] is worker
    assert not store.folder().exists()
    desk.close()


def test_an_import_can_be_cancelled(bare: Any, tmp_path: Path) -> None:
    shipped = store.shipped("ensam")
    assert shipped is not None
    desk = Desk(bare)
    choose(desk, "ensam")
    desk.panel.dialogs.path = str(shipped)
    desk.ui.importButton.click()
    assert not desk.ui.importButton.enabled
    desk.panel.models.installing.cancel()
    desk.wait(lambda: not desk.panel.models.installing.is_busy)
    assert "was stopped" in desk.ui.statusLabel.text and desk.ui.importButton.enabled
    assert store.find("ensam") == shipped and not store.folder().exists()
    desk.close()


def test_a_model_whose_weights_are_a_folder_is_imported_as_one(bare: Any, tmp_path: Path) -> None:
    from segresnet_bundles import write_bundle

    desk = Desk(bare)
    choose(desk, "segresnet")
    desk.panel.dialogs.path = str(tmp_path)
    import_now(desk)
    assert "give the folder of a MONAI bundle" in desk.ui.statusLabel.text
    desk.panel.dialogs.path = str(write_bundle(tmp_path / "bundle"))
    import_now(desk)
    assert store.find("segresnet").is_dir() and desk.panel.models.can_run
    desk.ui.removeWeightsButton.click()
    desk.close()
