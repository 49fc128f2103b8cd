"""VoxTell against the package's own predictor, with random weights and the same words.

On one thread masks are equal voxel by voxel and logits to 1e-2, the last digit of their 16 bits;
embeddings of the text encoder are equal to 1e-4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
from sample_volumes import DIRECTIONS, make_blob
from voxtell.inference import predictor as upstream
from voxtell_folders import PHRASES, network, write_bank, write_encoder, write_folder

from MedSegFMLib import Geometry, Session, Text, Volume, create
from MedSegFMLib.errors import MissingPartError, ModelError, PromptError
from MedSegFMLib.models.voxtell.phrases import Phrases
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.io.image_files import write_volume
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("voxtell") / "tiny")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("qwen3") / "tiny")


@pytest.fixture
def theirs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> upstream.VoxTellPredictor:
    """The package's predictor of the same folder, which knows the published size only."""
    monkeypatch.setattr(upstream, "VoxTellModel", lambda **_: network())
    return upstream.VoxTellPredictor(str(folder), CPU, embedding_bank=str(folder / BANK))


BANK = "text_embeddings.npz"


def volume_of(codes: str = "LPS", shape: tuple[int, int, int] = (36, 40, 44)) -> Volume:
    """A ball beside a bar, within a border of zeros, so that no two orientations look alike."""
    volume = make_blob(Geometry.from_spacing(shape, (0.9, 1.1, 2.0), DIRECTIONS[codes], (5, 6, 7)))
    array = volume[0].array_kji + 30
    array[5:9, 6:30, 4:12] += 80
    array[:3] = array[:, :, -4:] = 0
    return volume[0].with_array(array)


@pytest.mark.parametrize("codes", DIRECTIONS)
def test_masks_are_those_of_the_packages_reader_and_predictor_in_every_orientation(
    codes: str, folder: Path, theirs: upstream.VoxTellPredictor, tmp_path: Path
) -> None:
    volume = volume_of(codes)
    write_volume(volume, tmp_path / "image.nii.gz", {})
    image, about = NibabelIOWithReorient().read_images([str(tmp_path / "image.nii.gz")])
    session = Session(create("voxtell", "cpu", weights=folder), volume)
    for phrase in PHRASES[:3]:
        expected = theirs.predict_single_image(image, phrase)[0]
        NibabelIOWithReorient().write_seg(expected, str(tmp_path / "mask.nii.gz"), about)
        written = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj).T > 0
        session.reset()
        session.add(Text(phrase))
        found = session.predict().mask.array_kji > 0
        assert written.any() and np.array_equal(found, written)


def test_logits_are_those_of_the_package(folder: Path, theirs: upstream.VoxTellPredictor) -> None:
    volume = volume_of()
    turned = volume.reoriented("RAS")
    image, box, shape = theirs.preprocess(turned.array_kji)
    words = theirs.embed_text_prompts("ball")
    logits = np.full(shape, -16, np.float32)
    logits[tuple(slice(*b) for b in box)] = theirs.predict_sliding_window_return_logits(
        image, words
    )[0]
    session = Session(create("voxtell", "cpu", weights=folder), volume)
    session.add(Text("Ball"))
    expected = Volume(logits, turned.geometry).reoriented("LPS").array_kji
    np.testing.assert_allclose(session.predict().logits_kji, expected, atol=1e-2)


def test_the_same_patient_stored_otherwise_has_the_same_organ_in_the_same_place(
    folder: Path,
) -> None:
    volume = volume_of("RAS")
    model = create("voxtell", "cpu", weights=folder)

    def found(stored: Volume) -> np.ndarray:
        session = Session(model, stored)
        session.add(Text("left kidney"))
        return session.predict().mask.reoriented("RAS").array_kji

    first = found(volume)
    assert first.any()
    for codes in ("LPS", "PSR", "ILA"):
        assert np.array_equal(found(volume.reoriented(codes)), first)
    # Not the array but the patient decides: this one is mirrored, and another.
    mirrored = volume.with_array(np.ascontiguousarray(volume.array_kji[:, :, ::-1]))
    assert not np.array_equal(found(mirrored), first)


def test_several_phrases_are_united_and_each_is_as_if_alone(folder: Path) -> None:
    session = Session(create("voxtell", "cpu", weights=folder), volume_of())
    alone = []
    for phrase in ("liver", "ball"):
        session.reset()
        session.add(Text(phrase))
        alone.append(session.predict().logits_kji)
    session.reset()
    session.add(Text("liver"))
    session.add(Text("ball"), 1)
    assert np.array_equal(session.predict().logits_kji, np.maximum(*alone))


def test_an_empty_border_is_background_and_an_empty_image_too(folder: Path) -> None:
    volume = volume_of()
    session = Session(create("voxtell", "cpu", weights=folder), volume)
    session.add(Text("liver"))
    assert (session.predict().logits_kji[:3] == -16).all()
    model = session.segmenter
    encoding = model.encode(volume, Region((0, 0, 0), (3, 40, 44)), no_progress)
    answer = model.predict(encoding, [Text("liver")], None, no_progress)
    assert answer.logits_kji.shape == (3, 40, 44) and (answer.logits_kji == -16).all()


@pytest.mark.parametrize("prefix", ["", "model."])
def test_words_are_embedded_as_the_package_embeds_them(prefix: str, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder", prefix=prefix)
    own = object.__new__(upstream.VoxTellPredictor)
    own.device, own._text_encoding_model, own.max_text_length = CPU, str(encoder), 8192
    own.text_backbone = own.tokenizer = own.embedding_bank = None
    phrases = Phrases(None, encoder, 16, CPU)
    words = ["a mass in the left kidney, 3 cm", "Bärlauch"]
    expected = own.embed_text_prompts(words)[0].numpy()
    for phrase, row in zip(words, expected, strict=True):
        np.testing.assert_allclose(phrases.embedding(phrase), row, atol=1e-4)
    assert not np.allclose(expected[0], expected[1], atol=0.1)


def test_a_phrase_that_was_embedded_beforehand_needs_no_encoder(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = write_bank(tmp_path / "bank.npz", 16, ("Left kidney", "liver", "both lungs"))
    phrases = Phrases(bank, None, 16, CPU)
    known = phrases.embedding("left kidney")
    # The vocabulary knows them as one, in whichever way it is written.
    for same in ("LEFT KIDNEY", "kidney_left", "Kidney (L)"):
        assert np.array_equal(phrases.embedding(same), known)
    assert np.array_equal(phrases.embedding("Lung_both"), phrases.embedding("both lungs"))
    with pytest.raises(PromptError, match=r"'livr' \(did you mean liver\?\) is not among the 3 "):
        phrases.embedding("livr")
    both = Phrases(bank, encoder, 16, CPU)
    assert both.embedding("livr").shape == (16,)
    loaded = both.embedding("livr")
    monkeypatch.setattr("MedSegFMLib.models.voxtell.text_encoder.TextEncoder", None)
    assert both.embedding("livr") is loaded and np.array_equal(
        both.embedding("liver"), phrases.embedding("liver")
    )


def test_a_folder_without_phrases_and_encoder_says_where_to_get_them(tmp_path: Path) -> None:
    bare = write_folder(tmp_path / "bare", bank=False)
    with pytest.raises(MissingPartError, match="add --option embeddings=FILE or --option text_enc"):
        create("voxtell", "cpu", weights=bare)
    bank = write_bank(tmp_path / "elsewhere.npz", 16)
    create("voxtell", "cpu", weights=bare, embeddings=bank)
    with pytest.raises(ModelError, match="The overlap is 2"):
        create("voxtell", "cpu", weights=bare, embeddings=bank, overlap="2")


def test_nothing_is_asked_of_any_network(
    folder: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr("socket.socket.connect", refuse)
    session = Session(create("voxtell", "cpu", weights=folder, text_encoder=encoder), volume_of())
    session.add(Text("whatever is in the middle"))
    assert session.predict().logits_kji.shape == (36, 40, 44)
