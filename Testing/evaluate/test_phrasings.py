"""Protocol `phrases`: the same object in other words, and how far the words move the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluate_rows import a_row, cases_of

from MedSegFMLib import Geometry, Text, Volume
from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.errors import CasesError
from MedSegFMLib.evaluate.instances import prompted_cases
from MedSegFMLib.evaluate.phrasings import phrasings, with_phrasings
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.records import Task
from MedSegFMLib.evaluate.report.summary import summarise
from MedSegFMLib.evaluate.report.tables import tables
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.segmenter import Encoding, ModelCard, Prediction, RegionRule
from MedSegFMLib.volumes.region import Region

PHRASES = read_protocol("phrases")


def a_case(*names: str) -> Case:
    here = Path()
    return Case("a case", here, here / "i", here / "l", "CT", tuple(enumerate(names, 1)))


def kinds(name: str) -> dict[str, list[str]]:
    """The phrases of each kind."""
    found: dict[str, list[str]] = {}
    for phrase, kind in phrasings(name).items():
        found.setdefault(kind, []).append(phrase)
    return found


def test_a_name_is_said_in_the_ways_that_people_say_it() -> None:
    found = kinds("left kidney")
    assert found["as named"] == ["left kidney"]
    assert found["synonym"] == ["left ren", "left renal parenchyma"]
    assert found["word order"] == ["kidney left"]
    # It has a side already.
    assert found["attribute"] == ["largest left kidney", "enhancing left kidney"]
    assert found["composition"] == ["left kidney of this patient", "the left kidney in this image"]
    assert found["typing error"] == ["left kindey", "left kidey"]


def test_synonyms_of_both_sides_are_plurals() -> None:
    assert kinds("both lungs")["synonym"] == ["both pulmos"]
    assert kinds("bilateral testicle")["synonym"] == ["both testes", "both testicles"]


def test_what_a_name_says_is_not_said_twice() -> None:
    assert "enhancing enhancing tumour" not in phrasings("enhancing tumour")
    assert "left liver" in phrasings("liver")
    assert "synonym" not in kinds("my own organ") and "typing error" not in kinds("IVC")


def test_each_phrase_is_asked_once_and_stands_for_its_own_object() -> None:
    case = with_phrasings(a_case("liver", "hepar", "spleen"))
    names = [name for _, name in case.objects]
    assert len(set(names)) == len(names) == len(case.phrasings)
    # Another object of the case has this name.
    place = names.index("hepar")
    assert case.objects[place][0] == 2 and case.phrasings[place] == ("as named", "hepar")
    assert {of for _, of in case.phrasings} == {"liver", "hepar", "spleen"}
    assert with_phrasings(case) is case
    assert prompted_cases([case], PHRASES) == [case]
    assert prompted_cases([a_case("liver")], Protocol()) == [a_case("liver")]


def test_a_protocol_of_phrases_keeps_objects_apart() -> None:
    with pytest.raises(CasesError, match="ask for one object several times"):
        replace(PHRASES, together=True)


class Listener:
    """Finds the object if the words begin with "liver"; notes what it was asked."""

    def __init__(self) -> None:
        self.card = ModelCard(
            name="listener",
            title="Listener",
            summary="",
            prompts=("box", "text"),
            modalities=(),
            dimensions=3,
            code_licence="",
            weights_licence=None,
            region_rule=RegionRule(99, 0.0, 99, shared=False),
        )
        self.classes: tuple[str, ...] = ()
        self.asked: list[str] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        (prompt,) = prompts
        assert isinstance(prompt, Text)
        self.asked.append(prompt.phrase)
        logits = np.full(encoding.region.shape_kji, -1, np.float32)
        if prompt.phrase.startswith("liver"):
            logits[2:6, 2:6, 2:6] = 1
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


def test_the_protocol_asks_in_all_words_and_the_table_says_what_they_change() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:6, 2:6, 2:6] = 1
    volume = Volume(labels, Geometry.from_spacing((8, 8, 8), (1, 1, 1)))
    cases = prompted_cases([a_case("liver")], PHRASES)
    model = Listener()
    rows, _ = run_case(
        Task(cases[0], "listener", 0),
        LoadedCase(volume, volume, False),
        model,
        PHRASES,
        no_progress,
    )
    assert model.asked == list(phrasings("liver")) == [row.object for row in rows]
    assert {row.prompt for row in rows} == {"text"}
    summary = summarise(rows, [], cases, PHRASES)
    scores = summary.phrases["listener"]
    assert scores["as named"].dsc == 1.0 and scores["typing error"].change == -1.0
    assert scores["composition"].change == -0.5 and scores["composition"].lowest == -1.0
    (table,) = (table for table in tables(summary) if table.name == "phrases")
    assert [[cell.text for cell in row] for row in table.rows][:2] == [
        ["listener", "as named", "1", "1", "1.000", "–", "–"],
        ["listener", "synonym", "1", "1", "0.000", "−1.000", "−1.000"],
    ]
    assert summary.as_json()["listener"]["phrases"]["synonym"]["change"] == -1.0


def test_objects_count_alike_however_many_phrases_they_have() -> None:
    case = replace(
        a_case("a", "b", "c", "d", "e"),
        phrasings=(
            *[("as named", "x"), ("synonym", "x"), ("synonym", "x")],
            *[("as named", "y"), ("synonym", "y")],
        ),
    )
    scores = {"a": 0.8, "b": 0.6, "c": 0.4, "d": 0.9, "e": 0.9}
    rows = [a_row("m", case.name, dsc, object=name) for name, dsc in scores.items()]
    found = summarise(rows, [], [case], PHRASES).phrases["m"]["synonym"]
    assert (found.phrases, found.cases) == (3, 1)
    assert found.dsc == pytest.approx((0.5 + 0.9) / 2)
    assert found.change == pytest.approx((-0.3 + 0.0) / 2) and found.lowest == pytest.approx(-0.4)
    assert summarise(rows, [], cases_of(rows), PHRASES).phrases == {}
