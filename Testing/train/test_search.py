"""A search over one setting: a training for each value, its table and plot, and resuming it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import refused, run
from sam_checkpoints import tiny_is_published, write_checkpoint

from MedSegFMLib.errors import Cancelled, OutputError, TrainingError
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.train.recipes.crossplane.recipe import SEARCHED
from MedSegFMLib.train.recipes.crossplane.settings import CrossplaneSettings
from MedSegFMLib.train.search.search import (
    INDEX,
    PLOT,
    TABLE,
    Search,
    find_search,
    run_search,
    table,
)

Calls = list[Any]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    return [f"out={tmp_path / 'search'}", "steps=3", "consistency=0,1,4"]


def found(words: list[str]) -> Search:
    search = find_search(SEARCHED, CrossplaneSettings, words)
    assert search is not None
    return search


def trained(calls: Calls, stop_at: float | None = None) -> Callable[[Any, Progress], Any]:
    """Stands for a training whose inconsistency falls with the weight."""

    def train(settings: CrossplaneSettings, progress: Progress) -> Mapping[str, float]:
        if settings.consistency == stop_at:
            raise Cancelled("stopped")
        calls.append(settings)
        progress(0.5, "Training")
        settings.out.mkdir(parents=True)
        return {"dice": 0.5, "inconsistency": 8 / (1 + settings.consistency)}

    return train


def test_one_value_is_no_search() -> None:
    assert find_search(SEARCHED, CrossplaneSettings, ["out=a", "consistency=2"]) is None
    # A list that is no search is that of the setting itself.
    assert find_search(SEARCHED, CrossplaneSettings, ["out=a", "held_back=a,b"]) is None


def test_each_value_is_trained_in_a_folder_of_its_own_and_all_else_is_the_same(
    words: list[str], tmp_path: Path
) -> None:
    calls: Calls = []
    rows = run_search(found(words), CrossplaneSettings, trained(calls), no_progress)
    out = tmp_path / "search"
    assert [c.consistency for c in calls] == [0.0, 1.0, 4.0] and {c.steps for c in calls} == {3}
    assert [c.out for c in calls] == [out / f"consistency-{value}" for value in (0, 1, 4)]
    header, cells = table(rows)
    assert header[:4] == ["dice", "inconsistency", "dice change", "inconsistency change"]
    assert cells[1][:5] == ["1", "0.500", "4.000", "+0.000", "-4.000"]
    with (out / TABLE).open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["consistency"] for row in written] == ["0", "1", "4"]
    assert float(written[2]["inconsistency"]) == pytest.approx(1.6)
    assert (out / PLOT).stat().st_size > 1000


def test_a_stopped_search_continues_with_the_values_that_are_left(words: list[str]) -> None:
    first: Calls = []
    with pytest.raises(Cancelled):
        run_search(found(words), CrossplaneSettings, trained(first, stop_at=4.0), no_progress)
    second: Calls = []
    rows = run_search(found(words), CrossplaneSettings, trained(second), no_progress)
    assert [c.consistency for c in first] == [0.0, 1.0]
    assert [c.consistency for c in second] == [4.0]
    assert [row.value for row in rows] == ["0", "1", "4"]
    # A further value is added to the same table.
    third: Calls = []
    more = [*words[:-1], "consistency=4,0,2"]
    rows = run_search(found(more), CrossplaneSettings, trained(third), no_progress)
    assert [c.consistency for c in third] == [2.0] and [row.value for row in rows] == [*"402"]


def test_progress_is_that_of_all_trainings_and_never_goes_back(words: list[str]) -> None:
    told: list[tuple[float, str]] = []
    run_search(found(words), CrossplaneSettings, trained([]), lambda f, p: told.append((f, p)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    assert any(phrase == "consistency=1: Training" for _, phrase in told)


def test_a_folder_of_another_search_is_refused(words: list[str], tmp_path: Path) -> None:
    run_search(found(words), CrossplaneSettings, trained([]), no_progress)
    other = found([words[0], "steps=9", words[2]])
    with pytest.raises(TrainingError, match=r"another steps \(3, not 9\); name another folder"):
        run_search(other, CrossplaneSettings, trained([]), no_progress)
    (tmp_path / "search" / INDEX).write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match=r"search\.json cannot be read"):
        run_search(found(words), CrossplaneSettings, trained([]), no_progress)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("consistency=0,0", "consistency has the value 0 twice"),
        ("consistency=0,-1", "consistency is -1.0"),
        ("consistency=0,x", "consistency is 'x'"),
        ("consistency=1,", "consistency is ''"),
        ("steps=1,2", "steps is '1,2'"),
    ],
)
def test_values_that_cannot_be_are_refused_before_the_first_training(
    wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "train", "crossplane", "out=nowhere", wrong)


def test_the_command_trains_prints_the_table_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    base = write_checkpoint(tmp_path / "tiny.pth")
    given = f"base={base} out={tmp_path / 'out'} synthetic=1 side=24 steps=2 accumulate=1 blocks=1"
    given += " validation_objects=1 threads=1 device=cpu hot_share=0 consistency=0,2"
    with tiny_is_published():
        assert run("train", "crossplane", *given.split()) == 0
        printed = capsys.readouterr().out
        assert "inconsistency" in printed and "search.csv" in printed
        finished = json.loads((tmp_path / "out" / INDEX).read_text(encoding="utf-8"))["rows"]
        assert [row["value"] for row in finished] == ["0", "2"]
        for value in ("0", "2"):
            assert (tmp_path / "out" / f"consistency-{value}" / "adapter").is_dir()
        begun = (tmp_path / "out" / "consistency-0" / "log.csv").stat().st_mtime_ns
        assert run("train", "crossplane", *given.split()) == 0
    assert (tmp_path / "out" / "consistency-0" / "log.csv").stat().st_mtime_ns == begun


def test_several_processes_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    base = write_checkpoint(tmp_path / "tiny.pth")
    said = refused(
        capsys, "train", "crossplane", f"out={tmp_path / 'o'}", f"base={base}", "consistency=0,1"
    )
    assert "without accelerate" in said
