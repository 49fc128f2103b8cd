"""Weights on disk: found, imported, checked and removed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from MedSegFMLib.cli import main
from MedSegFMLib.errors import OutputError, WeightsError
from MedSegFMLib.weights import catalogue, store
from MedSegFMLib.weights.safetensors_header import read_header


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The smallest whole safetensors file: one tensor of two floats."""
    header = json.dumps(
        {
            "__metadata__": {"format": "medsegfm.ensam"},
            "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        }
    ).encode()
    path = tmp_path / "download.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    return path


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_missing_weights_name_the_way_out() -> None:
    with pytest.raises(WeightsError, match=r"medsegfm weights import ensam FILE"):
        store.find("ensam")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="no weights called 'resnet'; the catalogue has ensam"):
        store.find("resnet")


def test_imported_file_is_found_and_its_hash_recorded(folder: Path, source: Path) -> None:
    path = store.import_file("ensam", source)
    assert path == folder / "ensam.safetensors" == store.find("ensam")
    assert path.read_bytes() == source.read_bytes()
    recorded = (folder / "ensam.safetensors.sha256").read_text()
    assert recorded == f"{digest_of(source)}  ensam.safetensors\n"
    store.verify_recorded(path)
    (record,) = store.installed()
    assert (record.name, record.path, record.shipped) == ("ensam", path, False)
    assert (record.sha256, record.bytes) == (digest_of(source), source.stat().st_size)


def test_nothing_is_installed_at_first(folder: Path) -> None:
    assert store.installed() == []
    assert not folder.exists()


def test_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no file"):
        store.import_file("ensam", tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_truncated_source_is_refused(folder: Path, source: Path, kept: int) -> None:
    source.write_bytes(source.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"truncated|not a whole"):
        store.import_file("ensam", source)
    assert not folder.exists()


def test_wrong_hash_is_refused_and_both_are_named(folder: Path, source: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        store.import_file("ensam", source, sha256="0" * 64)
    assert "0" * 64 in str(caught.value) and digest_of(source) in str(caught.value)
    assert not folder.exists()


def test_right_hash_is_accepted_in_capitals(source: Path) -> None:
    store.import_file("ensam", source, sha256=digest_of(source).upper())


def test_hash_of_the_catalogue_is_checked(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = catalogue.Entry("ensam", "ensam.safetensors", "safetensors", "1" * 64, None, "x", None)
    monkeypatch.setattr(store, "entry", lambda name: item)
    with pytest.raises(WeightsError, match="1" * 64):
        store.import_file("ensam", source)


def test_altered_file_is_refused_before_it_is_loaded(source: Path) -> None:
    path = store.import_file("ensam", source)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match=f"not {digest_of(source)}"):
        store.verify_recorded(path)


def test_file_laid_into_the_store_by_hand_is_refused(folder: Path, source: Path) -> None:
    folder.mkdir()
    (folder / "ensam.safetensors").write_bytes(source.read_bytes())
    with pytest.raises(WeightsError, match="import it with"):
        store.verify_recorded(store.find("ensam"))


def test_file_that_the_user_names_needs_no_recorded_hash(source: Path) -> None:
    store.verify_recorded(source)


def test_empty_hash_file_is_refused(source: Path) -> None:
    path = store.import_file("ensam", source)
    path.with_name(f"{path.name}.sha256").write_text("")
    with pytest.raises(WeightsError, match="is empty"):
        store.verify_recorded(path)


def test_one_bad_hash_file_is_told_and_does_not_hide_the_weights(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.import_file("ensam", source)
    path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\xfe")
    (record,) = store.installed()
    assert record.sha256 is None and "cannot be read" in str(record.fault)
    assert main(["weights", "list"]) == 0 and main(["models"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_weights_of_another_network_are_refused(folder: Path, source: Path) -> None:
    source.write_bytes(source.read_bytes().replace(b"medsegfm.ensam", b"medsegfm.other"))
    with pytest.raises(WeightsError, match=r"holds medsegfm\.other, not medsegfm\.ensam"):
        store.import_file("ensam", source)
    assert not folder.exists()


def test_a_folder_that_cannot_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(folder / ("long" * 80)))
    with pytest.raises(WeightsError, match="name another folder in MEDSEGFM_WEIGHTS"):
        store.find("ensam")


def test_no_home_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MEDSEGFM_WEIGHTS")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(store.sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(WeightsError, match="no home folder"):
        store.folder()
    assert store.installed() == []


def test_failed_import_leaves_the_earlier_file(folder: Path, source: Path) -> None:
    path = store.import_file("ensam", source)
    before = path.read_bytes()
    source.write_bytes(b"broken")
    with pytest.raises(WeightsError):
        store.import_file("ensam", source)
    assert path.read_bytes() == before
    store.verify_recorded(path)
    assert sorted(p.name for p in folder.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_folder_that_cannot_be_made_is_named(folder: Path, source: Path) -> None:
    folder.write_text("a file is in the way")
    with pytest.raises((WeightsError, OutputError), match="MEDSEGFM_WEIGHTS"):
        store.import_file("ensam", source)


def test_removed_weights_are_gone(folder: Path, source: Path) -> None:
    store.import_file("ensam", source)
    store.remove("ensam")
    assert list(folder.iterdir()) == []
    with pytest.raises(WeightsError, match="nothing to remove"):
        store.remove("ensam")


def test_verify_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        store.verify(tmp_path / "nowhere", "0" * 64)


def test_shipped_file_comes_first_and_needs_the_catalogues_hash(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(store, "_PACKAGE", package)
    store.import_file("ensam", source)
    shipped = package / "ensam.safetensors"
    shipped.write_bytes(source.read_bytes())
    assert store.find("ensam") == shipped
    assert store.installed()[0].shipped
    with pytest.raises(WeightsError, match="no SHA-256"):
        store.verify_recorded(shipped)
    item = catalogue.Entry("ensam", shipped.name, "safetensors", "2" * 64, None, "x", None)
    monkeypatch.setattr(store, "entries", lambda: {"ensam": item})
    with pytest.raises(WeightsError, match="2" * 64):
        store.verify_recorded(shipped)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "medsegfm/weights"),
        ("win32", "LOCALAPPDATA", "medsegfm/weights"),
        ("darwin", "HOME", "Library/Application Support/medsegfm/weights"),
    ],
)
def test_folder_is_where_each_system_keeps_data(
    platform: str, variable: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDSEGFM_WEIGHTS")
    monkeypatch.setattr(store.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert store.folder() == tmp_path / expected


def test_header_tells_metadata_and_shapes(source: Path) -> None:
    header = read_header(source)
    assert header.metadata == {"format": "medsegfm.ensam"}
    assert header.shapes == {"w": (2,)}


@pytest.mark.parametrize("header", [b"[]", b'{"w": {}}', b'{"w": 3}', b"\xff\xfe", b""])
def test_header_of_another_form_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "odd"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_header(path)


def test_catalogue_is_complete() -> None:
    for name, item in catalogue.entries().items():
        assert item.name == name and item.licence
        assert item.format in ("safetensors", "torch")
        assert Path(item.file).name == item.file
