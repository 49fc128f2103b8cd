"""Encoded regions on disk: found by content, bounded, and never trusted."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib.system import feature_store
from MedSegFMLib.system.feature_store import FeatureStore, key_of
from MedSegFMLib.system.folder_lock import folder_lock

ARRAYS = {"a": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "b": np.ones(5, np.float16)}
IMAGE = np.arange(8, dtype=np.float32)


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.npz")
    return path


def test_what_was_stored_is_found_bit_by_bit(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "encoded")
    assert store.get("key") is None
    store.put({"key": ARRAYS})
    found = FeatureStore(tmp_path / "encoded").get("key")
    assert found is not None and found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def test_whatever_features_depend_on_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        key_of("ensam 1", IMAGE, 1.0),
        key_of("ensam 2", IMAGE, 1.0),
        key_of("ensam 1", IMAGE, 2.0),
        key_of("ensam 1", IMAGE + 1, 1.0),
        key_of("ensam 1", IMAGE.reshape(2, 4), 1.0),
        key_of("ensam 1", IMAGE.astype(np.float64), 1.0),
    }
    monkeypatch.setattr(feature_store, "__version__", "9")
    keys.add(key_of("ensam 1", IMAGE, 1.0))
    assert len(keys) == 7
    assert key_of("ensam 1", IMAGE.copy(), 1.0) in keys


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty", "pickle"])
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, damage: str) -> None:
    store = FeatureStore(tmp_path)
    store.put({"key": ARRAYS})
    path = only_file(tmp_path)
    content = bytearray(path.read_bytes())
    # In the middle of the values of the first array.
    content[len(content) // 3] ^= 255
    changed = {
        "cut": path.read_bytes()[:-40],
        "flipped": bytes(content),
        "other": b"no archive",
        "empty": b"",
        "pickle": pickle.dumps(print),
    }
    path.write_bytes(changed[damage])
    assert store.get("key") is None
    assert not path.exists()
    store.put({"key": ARRAYS})
    assert store.get("key") is not None


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.put({"key": ARRAYS})
    path = only_file(tmp_path)
    with path.open("wb") as file:
        np.savez(file, a=np.array([print], dtype=object))
    assert store.get("key") is None and not path.exists()


def test_the_folder_stays_within_its_bytes_and_the_oldest_goes(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, 2000)
    for number, key in enumerate("abc"):
        store.put({key: {"x": np.zeros(150, np.float32)}})
        if store.get(key) is not None:
            os.utime(next(tmp_path.glob(f"{key}.*")), (number, number))
        # Used again and again, a is never the oldest.
        assert store.get("a") is not None
    assert store.get("b") is None and store.get("c") is not None
    store.put({"large": {"x": np.zeros(1000, np.float32)}})
    assert store.get("large") is None


def test_a_store_in_use_or_without_a_folder_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    FeatureStore(tmp_path / "file").put({"key": ARRAYS})
    lock = tmp_path / "encoded"
    lock.mkdir()
    (lock / ".lock").write_text('{"host": "elsewhere", "pid": "1"}')
    store = FeatureStore(lock)
    store.put({"key": ARRAYS})
    assert store.get("key") is None
    (lock / ".lock").unlink()
    with folder_lock(lock, ""):
        # The thread that has the lock may store.
        store.put({"key": ARRAYS})
    assert store.get("key") is not None and not list(lock.glob(".tmp-*"))


def test_the_switch_is_for_processes_that_are_started_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSEGFM_NO_CACHE", "")
    assert not feature_store.is_switched_off()
    feature_store.switch_off()
    assert feature_store.is_switched_off() and feature_store.active() is None
