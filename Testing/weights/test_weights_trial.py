"""New weights are tried before they replace the installed ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile_weights import with_payload

from MedSegFMLib import create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import Cancelled, OutputError, WeightsError
from MedSegFMLib.models.phantom_trial import PhantomTrial
from MedSegFMLib.progress import Progress
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.checksums import sha256_of
from MedSegFMLib.weights.safetensors_header import read_header
from MedSegFMLib.weights.torch_file import check_torch_file, is_safetensors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is not there yet."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def shipped() -> Path:
    path = store.shipped("ensam")
    assert path is not None
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "values that are not finite numbers"),
        ("-inf", "values that are not finite numbers"),
        ("random", "does not find a bright ball in its box"),
        ("zeros", "computes the same value everywhere"),
        (
            "huge",
            r"cannot be run on a phantom \(The model ensam returned numbers that are not finite",
        ),
    ],
)
def test_weights_that_cannot_segment_are_refused_and_nothing_is_left_of_them(
    kind: str, words: str, shipped: Path, folder: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(with_payload(shipped.read_bytes(), kind))
    with pytest.raises(WeightsError, match=words) as caught:
        installing.import_file("ensam", bad, trial=PhantomTrial())
    assert str(bad) in str(caught.value) and ".tmp-" not in str(caught.value)
    assert not folder.exists() and store.find("ensam") == shipped


def test_a_refused_import_leaves_the_installed_weights_and_their_record(
    shipped: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "import", "ensam", str(shipped)]) == 0
    before = content_of(folder)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(with_payload(shipped.read_bytes(), "random"))
    capsys.readouterr()
    assert main(["weights", "import", "ensam", str(bad)]) == 2
    printed = capsys.readouterr().err.strip()
    assert printed.startswith("medsegfm: ") and "\n" not in printed
    assert content_of(folder) == before
    store.verify_recorded(store.find("ensam"))
    assert create("ensam", "cpu").card.name == "ensam"


def test_weights_can_be_tried_without_an_import(
    shipped: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "try", "ensam", str(shipped)]) == 0
    assert "was loaded and run on a phantom" in capsys.readouterr().out
    assert main(["weights", "try", "ensam", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["weights", "try", "resnet", str(shipped)]) == 2
    assert not folder.exists()


def test_a_cancelled_trial_leaves_what_was_there(shipped: Path, folder: Path) -> None:
    def stop(fraction: float, phrase: str) -> None:
        if phrase == "Loading the weights":
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        installing.import_file("ensam", shipped, trial=PhantomTrial(), progress=stop)
    assert not folder.exists()


def test_the_progress_of_an_import_rises_to_its_end(shipped: Path) -> None:
    heard: list[float] = []
    installing.import_file(
        "ensam", shipped, trial=PhantomTrial(), progress=lambda done, _: heard.append(done)
    )
    assert len(heard) > 5 and heard == sorted(heard) and heard[-1] == 1.0


def test_files_that_a_runtime_derives_during_a_trial_are_removed(
    shipped: Path, folder: Path
) -> None:
    def derive(name: str, path: Path, progress: Progress) -> None:
        path.with_name(f"{path.name}.01234567.graph.decoder.xml").write_text("graph")

    installing.import_file("ensam", shipped, trial=derive)
    assert sorted(content_of(folder)) == ["ensam.safetensors", "ensam.safetensors.sha256"]


def test_a_record_that_cannot_be_written_leaves_the_earlier_weights(
    shipped: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installing.import_file("ensam", shipped)
    before = content_of(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("MedSegFMLib.weights.trial._note", full)
    other = tmp_path / "other.safetensors"
    other.write_bytes(with_payload(shipped.read_bytes(), "zeros"))
    with pytest.raises(OutputError, match="No space left"):
        installing.import_file("ensam", other)
    part = folder / "ensam.safetensors.01234567.part"
    part.write_bytes(other.read_bytes())
    with pytest.raises(OutputError, match="No space left"):
        installing.adopt("ensam", part, sha256_of(part))
    part.unlink()
    assert content_of(folder) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipes_devices_and_folders_are_refused_before_they_are_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pth"
    os.mkfifo(pipe)
    for path, what in ((pipe, "named pipe"), (Path("/dev/zero"), "device"), (tmp_path, "folder")):
        for read in (check_torch_file, is_safetensors, read_header):
            with pytest.raises(WeightsError, match=f"is a {what}"):
                read(path)
    with pytest.raises(WeightsError, match="is a named pipe"):
        sha256_of(pipe)
    for name in ("ensam", "medsam", "sam3d"):
        with pytest.raises(WeightsError, match="is a named pipe"):
            create(name, "cpu", weights=pipe)
    with pytest.raises(WeightsError, match="is a named pipe"):
        installing.import_file("medsam", pipe)
