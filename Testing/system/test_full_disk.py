"""A disk that is full, or a file that may not grow, destroys nothing and is reported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib.errors import OutputError
from MedSegFMLib.system.atomic_files import append_text, atomic_folder, atomic_path, write_text
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.volume import Volume

pytest.importorskip("resource", reason="POSIX alone limits files")

from Testing.attacks.full_disk import WRITERS, Payload, escape, largest_file

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha")
# More than fits on the small disk, also compressed.
_ARRAY = np.random.default_rng(0).integers(0, 60000, (20, 200, 200)).astype(np.uint16)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_full_disk_keeps_the_earlier_volume(
    ending: str, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = small_disk / f"labels{ending}"
    path.write_bytes(b"earlier")
    volume = Volume(_ARRAY, Geometry.from_spacing(_ARRAY.shape, (1.0, 1.0, 2.0)))
    with pytest.raises(OutputError, match=r"No space left on device.*free some space"):
        volume.write(path)
    assert path.read_bytes() == b"earlier" and list(small_disk.iterdir()) == [path]
    # ITK's libraries print from C.
    assert capfd.readouterr().err == ""


def test_full_disk_keeps_the_earlier_text_and_rows(small_disk: Path) -> None:
    path = small_disk / "results.csv"
    write_text(path, "header\n")
    for write in (write_text, append_text):
        with pytest.raises(OutputError, match="No space left"):
            write(path, "x" * 600_000)
        assert path.read_text(encoding="utf-8") == "header\n" and list(small_disk.iterdir()) == [
            path
        ]


def test_full_disk_keeps_the_earlier_folder(small_disk: Path) -> None:
    path = small_disk / "weights"
    path.mkdir()
    (path / "w").write_bytes(b"earlier")
    said = r"weights could not be written \(No space left"
    with pytest.raises(OutputError, match=said), atomic_folder(path) as beside:
        write_text(beside / "w", "x" * 600_000)
    assert (path / "w").read_bytes() == b"earlier" and list(small_disk.iterdir()) == [path]


def test_full_disk_is_status_2_and_one_line(small_disk: Path) -> None:
    source, out = small_disk.parent / "image.nii", small_disk / "labels.nii"
    blob = np.zeros((30, 150, 150), np.int16)
    blob[10:20, 50:100, 50:100] = 100
    Volume(blob, Geometry.from_spacing(blob.shape, (1.0, 1.0, 1.0))).write(source)
    out.write_bytes(b"earlier")
    words = ["segment", source, "--model", "ellipsoid", "--box", *"50 50 10 99 99 19".split()]
    done = subprocess.run(
        [sys.executable, "-m", "MedSegFMLib", *words, "--out", out],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1 and "No space left" in done.stderr, done.stderr
    assert out.read_bytes() == b"earlier"


@pytest.mark.parametrize("limit", [1, 2000, 50_000])
@pytest.mark.parametrize("name", WRITERS)
def test_file_that_may_not_grow_keeps_the_earlier_one(
    name: str, limit: int, tmp_path: Path
) -> None:
    assert escape(Payload(name, 1, limit), tmp_path) is None


def test_writer_that_fails_in_silence_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("earlier")
    with pytest.raises(OutputError, match="incomplete"), atomic_path(path) as beside:
        beside.touch()
    with pytest.raises(OutputError), atomic_path(path):
        pass
    assert path.read_text(encoding="utf-8") == "earlier" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ENDINGS)
def test_voxels_that_were_not_written_are_noticed(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import SimpleITK as sitk

    write = sitk.WriteImage

    def cut(image: object, name: str, **options: object) -> None:
        write(image, name, **options)
        os.truncate(name, Path(name).stat().st_size - 9)

    monkeypatch.setattr(sitk, "WriteImage", cut)
    volume = Volume(_ARRAY[:2], Geometry.from_spacing((2, 200, 200), (1.0, 1.0, 2.0)))
    with pytest.raises(OutputError, match="incomplete"):
        volume.write(tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_files_are_on_the_disk_before_they_get_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("flush"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda *p: (calls.append("rename"), replace(*p))[1])
    write_text(tmp_path / "a", "text")
    assert calls == ["flush", "rename", "flush"]


def test_rows_that_do_not_fit_are_cut_off_again(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_text(path, "header\n")
    with largest_file(4000), pytest.raises(OutputError, match="File too large"):
        append_text(path, "x" * 5000)
    append_text(path, "row\n")
    assert path.read_text(encoding="utf-8") == "header\nrow\n"
