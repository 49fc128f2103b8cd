"""Published weights that are a folder: every file is received, verified and resumed by itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from nninteractive_folders import write_folder

from MedSegFMLib.cli import main
from MedSegFMLib.errors import WeightsError
from MedSegFMLib.weights import catalogue, installing, store
from MedSegFMLib.weights.catalogue import PublishedFile
from MedSegFMLib.weights.checksums import sha256_of
from MedSegFMLib.weights.fetch import fetch

NAME = "nninteractive"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the catalogue's address leads to; the user's folder is empty."""
    source = write_folder(tmp_path / "published")
    (source / "LICENSE").unlink()
    files = tuple(
        PublishedFile(path.relative_to(source).as_posix(), path.stat().st_size, sha256_of(path))
        for path in sorted(source.rglob("*"))
        if path.is_file()
    )
    entry = replace(
        catalogue.entry(NAME), url=f"{source.as_uri()}/", sha256=sha256_of(source), files=files
    )
    monkeypatch.setitem(catalogue.entries(), NAME, entry)
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return source


def test_they_are_fetched_after_their_licence_was_accepted(published: Path) -> None:
    with pytest.raises(WeightsError, match=r"CC BY-NC-SA 4\.0 .*--accept-licence"):
        fetch(NAME)
    heard: list[float] = []
    path = fetch(NAME, True, lambda fraction, phrase: heard.append(fraction))
    assert path == store.folder() / NAME == store.find(NAME)
    assert sha256_of(path) == sha256_of(published)
    assert heard == sorted(heard) and heard[-1] == 1.0
    store.verify_recorded(path)
    assert sorted(p.name for p in store.folder().iterdir()) == [NAME, f"{NAME}.sha256"]
    # What is complete is not fetched again.
    (published / "plans.json").unlink()
    assert fetch(NAME, True) == path


def test_a_download_that_broke_off_goes_on(published: Path) -> None:
    checkpoint = published / "fold_0" / "checkpoint_final.pth"
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    with pytest.raises(WeightsError, match="checkpoint_final"):
        fetch(NAME, True)
    (part,) = store.folder().iterdir()
    assert (part / "dataset.json").is_file()
    checkpoint.write_bytes(content)
    (published / "dataset.json").unlink()
    fetch(NAME, True)
    assert not part.exists()


def test_a_file_with_another_sha256_is_deleted(published: Path) -> None:
    plans = published / "plans.json"
    plans.write_bytes(plans.read_bytes().replace(b"Tiny", b"Fake"))
    with pytest.raises(WeightsError, match=r"plans\.json has the SHA-256 .* and was deleted"):
        fetch(NAME, True)
    with pytest.raises(WeightsError, match="No trained weights"):
        store.find(NAME)
    installing.remove(NAME)
    assert list(store.folder().iterdir()) == []


def test_the_command_line_fetches_and_removes_them(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "fetch", NAME]) == 2
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err
    assert main(["weights", "fetch", NAME, "--accept-licence"]) == 0
    assert main(["weights", "verify", NAME]) == 0
    assert main(["weights", "list"]) == 0
    assert main(["weights", "remove", NAME]) == 0
    assert not (store.folder() / NAME).exists()


def test_the_sha256_of_a_folder_in_the_catalogue_is_that_of_its_files() -> None:
    for item in catalogue.entries().values():
        if item.files:
            lines = "".join(
                f"{file.sha256}  {file.name}\n" for file in sorted(item.files, key=lambda f: f.name)
            )
            assert item.sha256 == hashlib.sha256(lines.encode()).hexdigest()
            assert item.bytes == sum(file.bytes for file in item.files)
            assert item.url is not None and item.url.endswith("/")
