"""CLIP's vocabulary from its merges, as SAM3's authors publish it, and where it is looked for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from medical_sam3_checkpoints import write_checkpoint, write_tokenizer

from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models.medical_sam3.clip_vocabulary import AUTHORS_FILE, SHIPPED, SIZE, read_merges
from MedSegFMLib.models.medical_sam3.tokenizer import (
    PhraseTokenizer,
    copy_tokenizer,
    imported_folder,
    tokenizer_for,
)
from MedSegFMLib.registry import create

# By the tokenizer of CLIP's authors.
TOKENS = {
    "liver": [49406, 12639, 49407],
    "left kidney": [49406, 1823, 14610, 49407],
}


def test_the_shipped_merges_give_the_tokens_of_clip() -> None:
    vocabulary, merges = read_merges(SHIPPED)
    assert len(vocabulary) == SIZE == 49_408 and len(merges) == 48_894
    assert vocabulary["<|startoftext|>"] == 49_406 and vocabulary["<|endoftext|>"] == 49_407
    words = PhraseTokenizer(SHIPPED, 32)
    for phrase, expected in TOKENS.items():
        tokens, counts = words.tokens([phrase])
        assert tokens[0][counts[0].bool()].tolist() == expected


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Kidney_L, hepar", "left kidney, liver"),
        ("kidney_left, kidney_right, IVC", "left kidney, right kidney, inferior vena cava"),
        ("my_new_thing, lung_both", "my new thing, both lungs"),
        # One name with a comma, and a number with one.
        ("kidney, left", "left kidney"),
        ("a cyst of 1,5 cm", "a cyst of 1,5 cm"),
    ],
)
def test_each_of_several_names_is_sent_as_the_vocabulary_calls_it(said: str, meant: str) -> None:
    words, exact = PhraseTokenizer(SHIPPED, 32), PhraseTokenizer(SHIPPED, 32, is_exact=True)
    (found, _), (wanted, _) = words.tokens([said]), exact.tokens([meant])
    assert found.tolist() == wanted.tolist()
    (left, _), (other, _) = exact.tokens([said]), exact.tokens([meant])
    assert (left.tolist() == other.tolist()) == (said == meant)


def test_the_authors_file_is_read_under_its_name_or_by_path(tmp_path: Path) -> None:
    # The published file has further lines, which CLIP does not use.
    text = gzip.decompress(SHIPPED.read_bytes()) + b"x y\n" * 1000
    (tmp_path / AUTHORS_FILE).write_bytes(gzip.compress(text))
    for place in (tmp_path, tmp_path / AUTHORS_FILE):
        tokens, counts = PhraseTokenizer(place, 32).tokens(["liver"])
        assert tokens[0][counts[0].bool()].tolist() == TOKENS["liver"]


# Names of their own: pytest-xdist compares names, and gzip writes the time into its header.
@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"#version\na b\n", mtime=0)],
    ids=["empty", "not gzip", "two merges alone"],
)
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / AUTHORS_FILE).write_bytes(content)
    with pytest.raises(WeightsError, match="get it again"):
        PhraseTokenizer(tmp_path, 32)


def test_a_tokenizer_is_looked_for_with_the_weights_before_the_shipped_one(tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    assert tokenizer_for(weights, SIZE) == SHIPPED
    # The shipped one does not fit a network with other tokens.
    assert tokenizer_for(weights, 78) == tmp_path
    write_tokenizer(tmp_path)
    assert tokenizer_for(weights, SIZE) == tmp_path
    copy_tokenizer(tmp_path, weights)
    assert tokenizer_for(weights, SIZE) == imported_folder(weights)
    named = tmp_path / "named"
    assert tokenizer_for(weights, SIZE, named) == named


def test_what_is_missing_is_said_before_the_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMLib.models.medical_sam3 import weights as medical_sam3_weights

    path = write_checkpoint(tmp_path)
    monkeypatch.setattr(
        medical_sam3_weights, "read_checkpoint", lambda _path: pytest.fail("it was read")
    )
    with pytest.raises(WeightsError, match="adapter_model"):
        create("medical-sam3", "cpu", weights=path, adapter=tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(WeightsError, match="no tokenizer in"):
        create("medical-sam3", "cpu", weights=path)
