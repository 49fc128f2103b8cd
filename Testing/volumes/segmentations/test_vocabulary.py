"""Names as people write them: which are one, which are not, and which must be asked about."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from MedSegFMLib.errors import PromptError
from MedSegFMLib.segmenter import class_numbers
from MedSegFMLib.volumes.segmentations.meanings import TISSUE, equivalents_of, meaning_of
from MedSegFMLib.volumes.segmentations.vocabulary import match, other_side, phrase_of, readings

ALIKE = [
    ["left kidney", "kidney_left", "Kidney (L)", "Left Kidneys", "KIDNEY-LEFT", "KidneyLeft"],
    ["left kidney", "lt kidney", "kidney, left", "kidney l", "L kidney", "LK", "the left ren"],
    ["urinary bladder", "bladder", "Urinary_Bladder"],
    ["inferior vena cava", "IVC", "inferior_vena_cava"],
    ["esophagus", "Oesophagus"],
    ["left upper lobe of lung", "lung_upper_lobe_left", "upper lobe of the left lung"],
    ["vertebra L1", "vertebrae_L1", "L1", "l1 vertebra"],
    ["vertebra T12", "vertebrae_T12", "Th12"],
    ["adrenal gland", "suprarenal gland", "adrenal glands"],
    ["right rib 3", "rib_right_3", "third rib right"],
    ["tumor", "tumour", "Tumours"],
    ["left femoral head", "head of the femur (left)", "femur head L"],
]


@pytest.mark.parametrize("names", ALIKE, ids=lambda names: names[0])
def test_names_of_one_thing_are_one(names: list[str]) -> None:
    for one, other in itertools.product(names, names):
        assert match(one, ["nothing of this", other]).found == (1,), (one, other)


def test_names_of_different_things_are_different() -> None:
    firsts = list(dict.fromkeys(names[0] for names in ALIKE))
    firsts += ["right kidney", "gallbladder", "superior vena cava", "vertebra L2", "lesion"]
    for name in firsts:
        assert match(name, firsts).found == (firsts.index(name),)
    # "L4" is a vertebra, and the L of "L 4" is no side.
    assert {reading.side for reading in readings("vertebra L 4")} == {""}


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("Kidney_L", "left kidney"),
        ("IVC", "inferior vena cava"),
        ("Oesophagus", "esophagus"),
        ("my_new_thing", "my new thing"),
        ("LV", "LV"),
        ("", ""),
        ("left", "left"),
        ("both lungs", "both lungs"),
        ("bilateral Kidneys", "both kidneys"),
        ("lung_both", "both lungs"),
        ("adrenals, both", "both adrenal glands"),
        ("both testicles", "both testes"),
        ("bilateral iliac artery", "both common iliac arteries"),
        ("both upper lobes of the lungs", "both upper lobes of lung"),
        ("bilateral hippocampus", "both hippocampi"),
        ("both gluteus maximus", "both gluteus maximus"),
    ],
)
def test_the_phrase_of_a_name_is_the_canonical_one_if_there_is_one(name: str, phrase: str) -> None:
    assert phrase_of(name) == phrase
    # Said to another program of this kind, it means the same.
    assert readings(phrase) == readings(name)


def test_classes_are_found_by_any_of_their_names() -> None:
    classes = ["liver", "kidney_left", "kidney_right", "heart_ventricle_left"]
    assert class_numbers(["Left kidney", "LIVER", "LV"], classes, "m") == [1, 0, 3]


@pytest.mark.parametrize(
    ("phrase", "classes", "said"),
    [
        ("kidney", ["kidney_left", "kidney_right"], "may be kidney_left or kidney_right"),
        ("kidney", ["liver", "kidney_left"], "may be kidney_left of m; name it so if you"),
        ("LV", ["left heart ventricle", "left lateral ventricle"], "may be left heart ventricle"),
        ("bladder", ["Bladder ", "bladder", "x"], "may be"),
        ("left kidney", ["kidney"], "no class 'left kidney'"),
        ("spleen", ["liver"], "no class 'spleen'"),
        ("", ["liver"], "no class ''"),
    ],
)
def test_names_of_several_classes_are_asked_about(
    phrase: str, classes: list[str], said: str
) -> None:
    with pytest.raises(PromptError, match=said):
        class_numbers([phrase], classes, "m")


def test_a_spelling_counts_before_a_meaning() -> None:
    classes = ["bladder", "urinary bladder"]
    assert class_numbers(["Urinary bladder"], classes, "m") == [1]
    assert class_numbers(["bladder"], classes, "m") == [0]


def test_the_users_own_vocabulary_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"phrases": {"liver": ["Leber"], "my organ": ["MO"]}}))
    assert match("Leber", ["liver"]).found == ()
    monkeypatch.setenv("MEDSEGFM_VOCABULARY", str(own))
    assert match("Leber", ["liver"]).found == (0,)
    assert phrase_of("left_mo") == "left my organ" and phrase_of("hepar") == "liver"


def test_the_users_own_codes_come_first_and_others_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.json"
    codes = {
        "kidney": ["99MINE^17^Our kidney", "SCT^64033007^Kidney"],
        "left my organ": ["99MINE^18^Left organ"],
    }
    own.write_text(json.dumps({"phrases": {"my organ": ["MO"]}, "codes": codes}))
    monkeypatch.setenv("MEDSEGFM_VOCABULARY", str(own))
    meaning, color = meaning_of("Kidney (L) 2")
    assert str(meaning.kind) == "99MINE^17^Our kidney" and color is not None
    assert meaning.side is not None and meaning.side.meaning == "Left"
    others = [str(code) for code in equivalents_of(meaning.kind)]
    assert others == ["SCT^64033007^Kidney", "FMA^7203^kidney"]
    meaning, _ = meaning_of("MO left")
    assert (str(meaning.kind), meaning.side) == ("99MINE^18^Left organ", None)
    assert meaning_of("right MO")[0] == TISSUE


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"phrases": {"a": "b"}}',
        '{"words": {"a": 1}}',
        '{"codes": {"a": ["SCT^10200005^Liver"]}}',
        '{"codes": {"a": ["12"]}}',
        '{"codes": {"a": ["FMA^FMA:7^b"]}}',
    ],
)
def test_a_vocabulary_that_is_none_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.json").write_text(text)
    monkeypatch.setenv("MEDSEGFM_VOCABULARY", str(tmp_path / "own.json"))
    with pytest.raises(PromptError, match=r"own\.json cannot be read .*; give it the form"):
        phrase_of("liver")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("kidney_left", "64033007^Kidney~SCT^7771000^Left"),
        ("Kidney (R)", "64033007^Kidney~SCT^24028007^Right"),
        ("urinary bladder", "89837001^Bladder"),
        ("suprarenal gland, left", "23451007^Adrenal gland~SCT^7771000^Left"),
        ("lung_upper_lobe_left", "45653009^Upper lobe of lung~SCT^7771000^Left"),
        ("brain stem 2", "119238007^Brain Stem"),
        ("rib_right_3", "25888004^Third rib~SCT^24028007^Right"),
        ("Th12 vertebra", "23215003^T12 vertebra"),
        ("heart_atrium_left", "82471001^Left atrium"),
        ("heart_ventricle_right", "53085002^Right ventricle of heart"),
        ("my organ", "85756007^Tissue"),
    ],
)
def test_meanings_are_found_by_any_name(name: str, code: str) -> None:
    assert f"SCT^{code}" in meaning_of(name)[0].entry


def test_the_other_side_of_a_name_is_found_among_names_and_in_words() -> None:
    assert other_side("Kidney (L)") == "right kidney"
    assert other_side("liver") == "liver" and other_side("both lungs") == "both lungs"
    classes = ("kidney_left", "kidney_right", "liver")
    assert other_side("left kidney", classes) == "kidney_right"
    assert other_side("kidney_right", classes) == "kidney_left"
    assert other_side("left adrenal gland", classes) == "left adrenal gland"
