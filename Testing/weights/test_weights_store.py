"""Weights on disk: found, imported, checked and removed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from MedSegFMLib.cli import main
from MedSegFMLib.errors import OutputError, WeightsError
from MedSegFMLib.weights import catalogue, installing, store
from MedSegFMLib.weights.safetensors_header import read_header


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, which is not there yet."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's folder, without weights, and a catalogue that knows no file yet."""
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(store, "_PACKAGE", tmp_path / "package")
    know(monkeypatch, sha256=None, url=None)
    return tmp_path / "package"


def know(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Let the catalogue say something else of ENSAM's weights."""
    item = replace(catalogue.entry("ensam"), **values)
    monkeypatch.setattr(catalogue, "entries", lambda: {"ensam": item})
    monkeypatch.setattr(store, "entries", lambda: {"ensam": item})


@pytest.fixture
def shipped(package: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that came with the package, other than those to import."""
    path = package / "ensam.safetensors"
    path.write_bytes(source.read_bytes()[:-1] + b"s")
    know(monkeypatch, sha256=digest_of(path))
    return path


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


def test_missing_weights_that_are_published_can_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    know(monkeypatch, sha256="1" * 64, url="https://example.org/e")
    with pytest.raises(WeightsError, match="installed; run 'medsegfm weights fetch ensam' or"):
        store.find("ensam")


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match="no weights called 'resnet'; the catalogue has ensam"):
        store.find("resnet")


def test_imported_file_is_found_and_its_hash_recorded(folder: Path, source: Path) -> None:
    path = installing.import_file("ensam", source)
    assert path == folder / "ensam.safetensors" == store.find("ensam")
    assert path.read_bytes() == source.read_bytes()
    recorded = (folder / "ensam.safetensors.sha256").read_text(encoding="utf-8")
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
        installing.import_file("ensam", tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_truncated_source_is_refused(folder: Path, source: Path, kept: int) -> None:
    source.write_bytes(source.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"truncated|not a whole"):
        installing.import_file("ensam", source)
    assert not folder.exists()


def test_wrong_hash_is_refused_and_both_are_named(folder: Path, source: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        installing.import_file("ensam", source, sha256="0" * 64)
    assert "0" * 64 in str(caught.value) and digest_of(source) in str(caught.value)
    assert not folder.exists()


def test_right_hash_is_accepted_in_capitals(source: Path) -> None:
    installing.import_file("ensam", source, sha256=digest_of(source).upper())


def test_hash_of_the_catalogue_is_checked_where_the_file_does_not_say_what_it_is(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, sha256="1" * 64, network=None)
    with pytest.raises(WeightsError, match="1" * 64):
        installing.import_file("ensam", source)
    installing.import_file("ensam", source, sha256=digest_of(source))


def test_weights_of_the_users_own_training_may_differ_from_the_published(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, sha256="1" * 64)
    store.verify_recorded(installing.import_file("ensam", source))


def test_altered_file_is_refused_before_it_is_loaded(source: Path) -> None:
    path = installing.import_file("ensam", source)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match=f"not {digest_of(source)}"):
        store.verify_recorded(path)


def test_file_laid_into_the_store_by_hand_is_refused(folder: Path, source: Path) -> None:
    folder.mkdir()
    (folder / "ensam.safetensors").write_bytes(source.read_bytes())
    with pytest.raises(WeightsError, match="import it with"):
        store.verify_recorded(store.find("ensam"))
    assert "import it with" in str(store.installed()[0].fault)


def test_file_that_the_user_names_needs_no_recorded_hash(source: Path) -> None:
    store.verify_recorded(source)


def test_empty_hash_file_is_refused(source: Path) -> None:
    path = installing.import_file("ensam", source)
    path.with_name(f"{path.name}.sha256").write_text("")
    with pytest.raises(WeightsError, match="is empty"):
        store.verify_recorded(path)


def test_one_bad_hash_file_is_told_and_does_not_hide_the_weights(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = installing.import_file("ensam", source)
    path.with_name(f"{path.name}.sha256").write_bytes(b"\xff\xfe")
    (record,) = store.installed()
    assert record.sha256 is None and "cannot be read" in str(record.fault)
    assert main(["weights", "list"]) == 0 and main(["models"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_weights_of_another_network_are_refused(folder: Path, source: Path) -> None:
    source.write_bytes(source.read_bytes().replace(b"medsegfm.ensam", b"medsegfm.other"))
    with pytest.raises(WeightsError, match=r"contains medsegfm\.other, not medsegfm\.ensam"):
        installing.import_file("ensam", source)
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
    path = installing.import_file("ensam", source)
    before = path.read_bytes()
    source.write_bytes(b"broken")
    with pytest.raises(WeightsError):
        installing.import_file("ensam", source)
    assert path.read_bytes() == before
    store.verify_recorded(path)
    assert sorted(p.name for p in folder.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_folder_that_cannot_be_made_is_named(folder: Path, source: Path) -> None:
    folder.write_text("a file is in the way")
    with pytest.raises((WeightsError, OutputError), match="MEDSEGFM_WEIGHTS"):
        installing.import_file("ensam", source)


def test_removed_weights_are_gone(folder: Path, source: Path) -> None:
    installing.import_file("ensam", source)
    installing.remove("ensam")
    assert list(folder.iterdir()) == []
    with pytest.raises(WeightsError, match="nothing to remove"):
        installing.remove("ensam")


def test_verify_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        store.verify(tmp_path / "nowhere", "0" * 64)


def test_shipped_file_is_found_and_checked_against_the_catalogue(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.find("ensam") == store.shipped("ensam") == shipped
    store.verify_recorded(shipped)
    (item,) = store.installed()
    assert (item.shipped, item.sha256, item.fault) == (True, digest_of(shipped), None)
    know(monkeypatch, sha256="2" * 64)
    with pytest.raises(WeightsError, match=f"not {'2' * 64}.*install MedSegFM again"):
        store.verify_recorded(shipped)
    know(monkeypatch, sha256=None)
    with pytest.raises(WeightsError, match="no SHA-256 in the catalogue"):
        store.verify_recorded(shipped)
    (item,) = store.installed()
    assert item.shipped and "no SHA-256" in str(item.fault)


def test_imported_file_comes_before_the_shipped_and_removing_it_brings_that_back(
    shipped: Path, source: Path
) -> None:
    path = installing.import_file("ensam", source)
    assert store.find("ensam") == path
    store.verify_recorded(path)
    assert [item.shipped for item in store.installed()] == [False]
    installing.remove("ensam")
    assert store.find("ensam") == shipped and store.installed()[0].shipped
    with pytest.raises(WeightsError, match="the shipped ones belong to the package and are kept"):
        installing.remove("ensam")
    assert shipped.is_file()


def test_shipped_file_is_found_without_a_home_folder(
    shipped: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise WeightsError("There is no home folder.")

    monkeypatch.setattr(store, "folder", homeless)
    assert store.find("ensam") == shipped
    store.verify_recorded(shipped)
    store.verify_recorded(source)


def test_removing_takes_unfinished_downloads_along(folder: Path) -> None:
    folder.mkdir()
    (folder / "ensam.safetensors.01234567.part").write_bytes(b"half")
    installing.remove("ensam")
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("untried")
def test_the_command_says_which_weights_are_used(
    shipped: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for words in ("list", f"import ensam {source}", "list", "verify ensam", "remove ensam"):
        assert main(["weights", *words.split()]) == 0
        said.append(capsys.readouterr().out)
    assert "shipped" in said[0] and "Apache-2.0" in said[0]
    assert "replace the shipped ones" in said[1]
    assert "your own" in said[2]
    assert "the shipped ones are used again" in said[4]


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
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        read_header(path)


def test_catalogue_is_complete() -> None:
    text = Path(catalogue.__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    for name, values in json.loads(text).items():
        item = catalogue.Entry(name=name, **values)
        assert item.format in ("safetensors", "torch", "folder")
        assert bool(item.parts and item.folder_hint) == (item.format == "folder")
        assert Path(item.file).name == item.file
        assert item.licence and str(item.licence_url).startswith("https://")
        # Whoever may not sell with them, or cannot tell, is asked first.
        assert not (item.permissive and any(word in item.licence for word in ("NC", "ND", "SA")))
        assert item.sha256 is None or re.fullmatch("[0-9a-f]{64}", item.sha256)
        if item.url is not None:
            assert item.url.startswith("https://") and item.is_published and item.bytes


def test_a_licence_is_not_permissive_unless_the_catalogue_says_so() -> None:
    item = catalogue.Entry("new", "new.pt", "torch", None, None, "see the paper", None)
    assert not item.permissive and not item.is_published and not item.is_self_describing
