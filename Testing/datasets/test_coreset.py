"""A coreset of the challenge's files: a tenth of them, equally many of each data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedSegFMLib.datasets.coreset import data_set, equal_counts, training_files
from MedSegFMLib.errors import CasesError


def touch(folder: Path, **sets: int) -> Path:
    for name, count in sets.items():
        (folder / name).mkdir(parents=True)
        for n in range(count):
            (folder / name / f"{name}_{n:03}.npz").touch()
    return folder


def test_a_tenth_has_equally_many_files_of_each_data_set(tmp_path: Path) -> None:
    folder = touch(tmp_path, CT_large=160, MR_small=30, US_tiny=10)
    chosen = training_files(folder, 0.1)
    counts = Counter(data_set(path, folder) for path in chosen)
    # Twenty of three sets: chance decides which of them gives one less.
    assert sorted(counts.values()) == [6, 7, 7]
    assert chosen == sorted(chosen) and len(set(chosen)) == 20


def test_a_data_set_with_too_few_files_gives_all_and_the_others_more(tmp_path: Path) -> None:
    folder = touch(tmp_path, CT_large=100, MR_small=3)
    counts = Counter(data_set(path, folder) for path in training_files(folder, 0.2))
    assert counts == {"CT_large": 18, "MR_small": 3}


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 200))
def test_counts_are_as_equal_as_the_sizes_allow(sizes: list[int], total: int) -> None:
    counts = equal_counts(sizes, total)
    assert sum(counts) == min(total, sum(sizes))
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))
    # A set that could give more gives at most one less than any other.
    unfilled = [c for c, size in zip(counts, sizes, strict=True) if c < size]
    assert not unfilled or max(counts) - min(unfilled) <= 1


def test_the_seed_decides_which_files(tmp_path: Path) -> None:
    folder = touch(tmp_path, CT_a=40)
    assert training_files(folder, 0.1) == training_files(folder, 0.1)
    assert training_files(folder, 0.1) != training_files(folder, 0.1, seed=1)


def test_excluded_files_are_left_out_before_the_choice(tmp_path: Path) -> None:
    folder = touch(tmp_path / "data", CT_a=4, MR_b=2)
    listed = tmp_path / "no.txt"
    listed.write_text("# poor labels\nCT_a_001.npz\nCT_a/CT_a_003\n\nnot_there\n")
    names = [path.stem for path in training_files(folder, excluded=listed)]
    assert names == ["CT_a_000", "CT_a_002", "MR_b_000", "MR_b_001"]
    listed.write_text("\n".join(path.name for path in folder.rglob("*.npz")))
    with pytest.raises(CasesError, match=r"no\.txt excludes all 6"):
        training_files(folder, excluded=listed)
    with pytest.raises(CasesError, match="cannot be read as a list"):
        training_files(folder, excluded=tmp_path / "none.txt")


def test_in_one_folder_the_name_says_which_data_set(tmp_path: Path) -> None:
    for name in ("CT_AMOS_amos_0001", "CT_AMOS_amos_0002", "MR_BraTS_x"):
        (tmp_path / f"{name}.npz").touch()
    sets = [data_set(path, tmp_path) for path in training_files(tmp_path)]
    assert sets == ["CT_AMOS", "CT_AMOS", "MR_BraTS"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CasesError, match="contains no npz files"):
        training_files(tmp_path)
