"""Weights that are a folder: imported whole or not at all, and checked like a file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from MedSegFMLib.cli import main
from MedSegFMLib.errors import OutputError, WeightsError
from MedSegFMLib.weights import installing, store
from MedSegFMLib.weights.checksums import sha256_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is not there yet."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The outside of a trained nnU-Net folder, and what else its training leaves in it."""
    path = tmp_path / "trained"
    (path / "fold_0" / "validation").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/debug.json"):
        (path / name).write_text(json.dumps({"name": name}))
    with zipfile.ZipFile(path / "fold_0" / "checkpoint_final.pth", "w") as file:
        file.writestr("archive/data.pkl", "x" * 500)
    (path / "fold_0" / "validation" / "case.nii.gz").write_bytes(b"much")
    return path


def files_of(path: Path) -> set[str]:
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


def test_the_files_that_count_are_copied_and_their_hash_is_recorded(
    folder: Path, source: Path
) -> None:
    path = installing.import_file("nnunet", source)
    assert path == folder / "nnunet" == store.find("nnunet")
    assert files_of(path) == {"plans.json", "dataset.json", "fold_0/checkpoint_final.pth"}
    store.verify_recorded(path)
    (item,) = [known for known in store.installed() if known.name == "nnunet"]
    assert item.sha256 == sha256_of(path) and item.fault is None
    assert item.bytes == sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


@pytest.mark.parametrize("change", ["altered", "added", "removed", "renamed"])
def test_a_folder_that_changed_is_refused(change: str, source: Path) -> None:
    path = installing.import_file("nnunet", source)
    match change:
        case "altered":
            (path / "plans.json").write_text("{}")
        case "added":
            (path / "fold_1").mkdir()
            (path / "fold_1" / "checkpoint_final.pth").write_bytes(b"PK")
        case "removed":
            (path / "dataset.json").unlink()
        case "renamed":
            (path / "fold_0").rename(path / "fold_1")
    with pytest.raises(WeightsError, match="modified or damaged"):
        store.verify_recorded(path)


def test_a_folder_laid_into_the_store_by_hand_is_refused(folder: Path, source: Path) -> None:
    folder.mkdir()
    source.rename(folder / "nnunet")
    with pytest.raises(WeightsError, match="weights import nnunet FOLDER"):
        store.verify_recorded(folder / "nnunet")


def test_another_import_takes_the_place_of_all_of_the_first(folder: Path, source: Path) -> None:
    installing.import_file("nnunet", source)
    (source / "fold_0").rename(source / "fold_2")
    path = installing.import_file("nnunet", source)
    assert files_of(path) == {"plans.json", "dataset.json", "fold_2/checkpoint_final.pth"}
    assert sorted(p.name for p in folder.iterdir()) == ["nnunet", "nnunet.sha256"]
    store.verify_recorded(path)


def test_a_failed_import_leaves_the_earlier_folder(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = installing.import_file("nnunet", source)
    (source / "plans.json").write_text('{"name": "another"}')

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("MedSegFMLib.weights.folders.shutil.copyfile", full)
        with pytest.raises(OutputError, match="No space left"):
            installing.import_file("nnunet", source)
    with pytest.raises(WeightsError, match="has the SHA-256"):
        installing.import_file("nnunet", source, sha256="0" * 64)
    store.verify_recorded(path)
    assert sorted(p.name for p in folder.iterdir()) == ["nnunet", "nnunet.sha256"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("plans.json", r"has no plans\.json; give the folder that nnU-Net's training wrote"),
        ("fold_0/checkpoint_final.pth", r"has no fold_\*/checkpoint_final\.pth"),
    ],
)
def test_an_incomplete_folder_is_refused(
    missing: str, words: str, folder: Path, source: Path
) -> None:
    (source / missing).unlink()
    with pytest.raises(WeightsError, match=words):
        installing.import_file("nnunet", source)
    assert not folder.exists()


def test_a_truncated_file_in_a_folder_is_named(folder: Path, source: Path) -> None:
    path = source / "fold_0" / "checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeightsError, match=r"checkpoint_final\.pth is truncated"):
        installing.import_file("nnunet", source)
    (source / "plans.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"truncated|does not contain a JSON object"):
        installing.import_file("nnunet", source)
    assert not folder.exists()


def test_a_file_where_a_folder_is_meant_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"plans\.json is not a folder; give the folder"):
        installing.import_file("nnunet", source / "plans.json")
    with pytest.raises(WeightsError, match="nowhere does not exist; give the folder"):
        installing.import_file("nnunet", tmp_path / "nowhere")


def test_a_folder_where_a_file_is_meant_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "import", "sam3d", str(source)]) == 2
    assert f"{source} is a folder, but the weights of sam3d are one file" in capsys.readouterr().err


def test_what_is_removed_is_gone(folder: Path, source: Path) -> None:
    installing.import_file("nnunet", source)
    installing.remove("nnunet")
    assert list(folder.iterdir()) == []
    with pytest.raises(WeightsError, match=r"weights import nnunet FOLDER', give --weights FOLDER"):
        store.find("nnunet")


def test_the_list_and_the_models_tell_of_folders(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ready() -> bool:
        assert main(["models", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        return next(m["weights_present"] for m in told if m["name"] == "nnunet")

    assert not ready()
    path = installing.import_file("nnunet", source)
    assert ready()
    assert main(["weights", "list"]) == 0
    assert "nnunet" in capsys.readouterr().out
    assert main(["weights", "verify", "nnunet"]) == 0
    (path / "plans.json").write_text("{}")
    assert main(["weights", "verify", "nnunet"]) == 2
