"""SegVol in a volume: the same as its authors' steps, derived here from MONAI's own functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from monai.transforms import Resize
from numpy.typing import NDArray
from segvol_checkpoints import (
    FULL,
    TINY,
    published_layout,
    random_segvol,
    tiny_is_published,
    write_checkpoint,
)
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import CLIPTokenizer

from MedSegFMLib import Box, Geometry, Point, Prediction, Text, Volume, create
from MedSegFMLib.errors import Cancelled, ModelError, PromptError, WeightsError
from MedSegFMLib.models.medical_sam3.clip_vocabulary import SHIPPED, read_merges
from MedSegFMLib.models.segvol.prompts import WindowPrompts
from MedSegFMLib.models.segvol.torch_runtime import TorchRuntime
from MedSegFMLib.models.segvol.weights import empty_network
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Segmenter
from MedSegFMLib.volumes.region import Region

# Twice the window along each axis, so that a resized box is that of its authors to the voxel.
SHAPE = (16, 64, 64)
GEOMETRY = Geometry.from_spacing(SHAPE, (1.0, 1.0, 2.0))
SIZES = torch.tensor([TINY.window[1], TINY.window[0], TINY.window[2]])


@pytest.fixture(autouse=True)
def tiny_base(one_thread: None) -> Iterator[None]:
    """The published network is a tiny one."""
    with tiny_is_published():
        yield


@pytest.fixture(scope="module")
def network() -> Any:
    return random_segvol()


@pytest.fixture(scope="module")
def volume() -> Volume:
    """A bright body in noise that fills the volume, so that the foreground is all of it."""
    rng = np.random.default_rng(0)
    array = rng.normal(40, 30, SHAPE).astype(np.float32)
    array[4:12, 20:44, 16:40] += 60
    return Volume(array, GEOMETRY)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("segvol") / "SegVol_v1.pth")


@pytest.fixture
def model(path: Path) -> Segmenter:
    return create("segvol", "cpu", weights=path)


def authors_image(array: NDArray[np.float32]) -> Tensor:
    """Percentiles of what is above the mean, standardised, to 0 to 1, cropped; (1, 1, k, j, i)."""
    brighter = array[array > array.mean()]
    low, high = np.percentile(brighter, 0.05), np.percentile(brighter, 99.95)
    scaled = (np.clip(array, low, high) - brighter.mean()) / brighter.std()
    scaled -= scaled.min()
    scaled /= scaled.max()
    return torch.from_numpy(scaled)[None, None].float()


def waves(network: Any, fractions: Tensor) -> Tensor:
    matrix = network.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    angles = 2 * math.pi * ((2 * fractions - 1) @ matrix)
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)


def authors_logits(
    network: Any,
    image: Tensor,
    text: str | None = None,
    box: Sequence[float] | None = None,
    clicks: Sequence[tuple[Sequence[float], bool]] = (),
) -> Tensor:
    """(1, 1, k, j, i) of a window, all layers in their plain form."""
    encoder, decoder = network.prompt_encoder, network.mask_decoder
    tokens = [decoder.iou_token.weight, decoder.mask_tokens.weight]
    for position, positive in clicks:
        place = waves(network, (torch.tensor(position) + 0.5) / SIZES)
        tokens.append(place[None] + encoder.point_embeddings[int(positive)].weight)
    if clicks and box is None:
        tokens.append(encoder.not_a_point_embed.weight)
    if box is not None:
        corners = waves(network, (torch.tensor(box).reshape(2, 3) + 0.5) / SIZES)
        for n in range(2):
            tokens.append(corners[n : n + 1] + encoder.point_embeddings[2 + n].weight)
    word = None
    if text is not None:
        vocabulary, merges = read_merges(SHIPPED)
        tokenizer: Any = CLIPTokenizer(vocab=vocabulary, merges=merges)
        given = tokenizer(
            [f"A computerized tomography of a {text}."], padding=True, return_tensors="pt"
        )
        clip = network.text_encoder.clip_text_model
        word = network.text_encoder.dim_align(clip(**given).pooler_output)
        tokens.append(word)
    features, _ = network.image_encoder(image)
    grid = TINY.grid
    source = features.transpose(1, 2).view(1, TINY.dim, *grid)
    source = source + encoder.no_mask_embed.weight.reshape(1, -1, 1, 1, 1)
    axes = [(torch.ones(grid).cumsum(n) - 0.5) / grid[n] for n in range(3)]
    positions = waves(network, torch.stack([axes[1], axes[0], axes[2]], dim=-1))
    # segment_anything's own transformer, which takes images of two dimensions.
    flat = source.flatten(2)[..., None]
    dense = positions.permute(3, 0, 1, 2)[None].flatten(2)[..., None]
    found, seen = decoder.transformer(flat, dense, torch.cat(tokens)[None])
    upscaled = decoder.output_upscaling(seen.transpose(1, 2).view(1, TINY.dim, *grid))
    hyper = decoder.output_hypernetworks_mlps[0](found[:, 1])[:, None]
    masks = (hyper @ upscaled.flatten(2)).view(1, 1, *upscaled.shape[2:])
    if word is not None:
        down = decoder.txt_align_upscaled_embedding(word)[:, None]
        masks = masks + (down @ upscaled.flatten(2)).view(1, 1, *upscaled.shape[2:])
    return interpolate(masks, size=TINY.window, mode="trilinear", align_corners=False)


def box_of(mask: Tensor) -> list[float]:
    """The authors' `generate_box`: first and last voxel; -1 if there is nothing."""
    found = (mask > 0).nonzero()
    if not len(found):
        return [-1.0] * 6
    return [*found.min(0).values.float().tolist(), *found.max(0).values.float().tolist()]


def zoomed_out_and_in(
    network: Any,
    array: NDArray[np.float32],
    text: str | None,
    inside: NDArray[np.bool_] | None,
    clicks: Sequence[tuple[tuple[int, int, int], bool]],
    zooms: bool,
) -> NDArray[np.float32]:
    """The logits of the authors' `zoom_in_zoom_out` on the whole volume.

    inside: the voxels of a box. Clicks are given as they are, instead of random voxels of a label.
    """
    image = authors_image(array)
    small = torch.as_tensor(Resize(TINY.window, mode="nearest-exact")(image[0]))[None]
    box = None
    if inside is not None:
        label = torch.as_tensor(
            Resize(TINY.window, mode="nearest-exact")(torch.from_numpy(inside)[None].float())
        )[0]
        box = box_of(label)
    scale = np.array(TINY.window) / np.array(SHAPE)
    far = [(((np.array(voxel) + 0.5) * scale - 0.5).tolist(), on) for voxel, on in clicks]
    with torch.no_grad():
        low = authors_logits(network, small, text, box, far)
        whole = interpolate(low, size=SHAPE, mode="nearest")[0, 0]
        if not zooms or not (whole > 0).any():
            return whole.numpy()
        found = (whole > 0).nonzero()
        first, last = found.min(0).values.tolist(), found.max(0).values.tolist()
        more = [
            max(0, n - (b - a + 1)) // 2 for n, a, b in zip(TINY.window, first, last, strict=True)
        ]
        part = tuple(
            slice(max(0, a - m), min(n, b + m) + 1)
            for a, b, m, n in zip(first, last, more, SHAPE, strict=True)
        )
        # Three channels, so that MONAI's inferer cuts them alike: the image, what was found, and
        # the numbers of the voxels, which tell where a window is.
        numbers = torch.arange(array.size, dtype=torch.float64).view(SHAPE)
        stacked = torch.stack([image[0, 0].double(), (whole > 0).double(), numbers])
        cut = stacked[(slice(None), *part)][None]
        windows = []

        def look(window: Tensor) -> Tensor:
            windows.append(window)
            return window[:, :1]

        def settled(predict: Any) -> Tensor:
            return sliding_window_inference(cut, TINY.window, 1, predict, overlap=0.5)

        settled(look)
        alone = len(windows) == 1

        def closer(window: Tensor) -> Tensor:
            corner = np.array(np.unravel_index(int(window[0, 2, 0, 0, 0]), SHAPE))
            near = [
                ((np.array(voxel) - corner).tolist(), on)
                for voxel, on in clicks
                if ((np.array(voxel) >= corner) & (np.array(voxel) < corner + TINY.window)).all()
            ]
            own = None
            if inside is not None and alone:
                here = tuple(slice(c, c + n) for c, n in zip(corner, TINY.window, strict=True))
                own = box_of(torch.from_numpy(inside[here]))
            elif inside is not None or clicks:
                own = box_of(window[0, 1])
            return authors_logits(network, window[:, :1].float(), text, own, near).double()

        whole[part] = settled(closer)[0, 0].float()
    return whole.numpy()


def predicted(model: Segmenter, volume: Volume, prompts: Sequence[Any]) -> Prediction:
    return model.predict(model.encode(volume, None, no_progress), prompts, None, no_progress)


BOX = ((4, 20, 16), (12, 44, 40))
CLICKS: list[tuple[tuple[int, int, int], bool]] = [((8, 30, 28), True), ((10, 50, 20), False)]
CASES = {
    "words": ("liver", False, False),
    "a box": (None, True, False),
    "clicks": (None, False, True),
    "words and a box": ("left kidney", True, False),
    "words and clicks": ("spleen", False, True),
}


@pytest.mark.parametrize("zooms", [False, True], ids=["out", "in"])
@pytest.mark.parametrize("name", CASES)
def test_the_masks_are_those_of_the_authors_steps(
    name: str, zooms: bool, network: Any, volume: Volume, path: Path
) -> None:
    text, boxed, clicked = CASES[name]
    prompts: list[Any] = [] if text is None else [Text(text)]
    inside = None
    if boxed:
        inside = np.zeros(SHAPE, bool)
        inside[tuple(slice(a, b) for a, b in zip(*BOX, strict=True))] = True
        prompts.append(Box.from_ijk(GEOMETRY, BOX[0][::-1], BOX[1][::-1]))
    clicks = CLICKS if clicked else []
    prompts += [Point.from_ijk(GEOMETRY, voxel[::-1], on) for voxel, on in clicks]
    wanted = zoomed_out_and_in(network, volume.array_kji, text, inside, clicks, zooms)
    model = create("segvol", "cpu", weights=path, zoom=zooms)
    found = predicted(model, volume, prompts)
    expected = wanted > 0
    assert 0.005 < expected.mean() < 0.98
    others = np.ones(SHAPE, bool)
    for voxel, on in clicks:
        assert bool(found.mask.array_kji[voxel]) == on
        others[voxel] = False
    assert np.array_equal(found.mask.array_kji[others] > 0, expected[others])
    part = found.region.slices
    assert np.allclose(found.logits_kji[others[part]], wanted[part][others[part]], atol=2e-4)


@pytest.mark.parametrize("codes", ["LPS", "SAL", "PIR"])
def test_a_volume_looks_the_same_however_it_is_stored(
    codes: str, model: Segmenter, volume: Volume
) -> None:
    prompts = [Text("liver"), Box.from_ijk(GEOMETRY, (16, 20, 4), (40, 44, 12))]
    found = predicted(model, volume, prompts)
    turned = predicted(model, volume.reoriented(codes), prompts)
    assert found.mask.array_kji.any()
    back = turned.mask.reoriented("RAS")
    assert np.array_equal(back.array_kji, found.mask.array_kji)


def test_only_the_foreground_is_looked_at(model: Segmenter, volume: Volume) -> None:
    # The air around the body gets no token.
    padded = volume.pad((3, 5, 7), (2, 4, 6), value=-1000)
    encoding: Any = model.encode(padded, None, no_progress)
    assert encoding.foreground == Region.at((3, 5, 7), SHAPE)
    far = Point.from_ijk(padded.geometry, (0, 0, 0), positive=False)
    prompts = [Box.from_ijk(GEOMETRY, (16, 20, 4), (40, 44, 12)), far]
    found = model.predict(encoding, prompts, None, no_progress).mask.array_kji
    assert found.any() and not found[:3].any() and not found[:, -4:].any()
    beyond = [Point.from_ijk(padded.geometry, (0, 0, 0))]
    assert model.predict(encoding, beyond, None, no_progress).mask.array_kji.sum() == 1


def test_a_window_gets_the_box_itself_if_it_is_the_only_one(volume: Volume) -> None:
    box = Box.from_ijk(GEOMETRY, (16, 20, 4), (40, 44, 12))
    marks = to_voxels([box, Point.from_ijk(GEOMETRY, (20, 21, 5))], GEOMETRY)
    window = Region.at((2, 18, 10), TINY.window)
    found = np.zeros(TINY.window, bool)
    found[3, 5:9, 6] = True
    alone = WindowPrompts.in_window(marks, window, found, is_alone=True)
    assert alone.box is not None and alone.positions.tolist() == [[3, 3, 10]]
    # The window ends before the box does.
    assert alone.box.tolist() == [[2, 2, 6], [7, 25, 29]]
    several = WindowPrompts.in_window(marks, window, found, is_alone=False)
    assert several.box is not None and several.box.tolist() == [[3, 5, 6], [3, 8, 6]]
    empty = WindowPrompts.in_window(marks, window, found & False, is_alone=False)
    assert empty.box is not None and (empty.box == -1).all()
    words = to_voxels([Text("liver")], GEOMETRY)
    assert WindowPrompts.in_window(words, window, found, is_alone=False).box is None


def test_an_image_is_encoded_once_and_windows_are_kept(
    model: Segmenter, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding = model.encode(volume, None, no_progress)
    prompts = [Box.from_ijk(GEOMETRY, (16, 20, 4), (40, 44, 12))]
    first = model.predict(encoding, prompts, None, no_progress)
    monkeypatch.setattr(TorchRuntime, "encode", None)
    again = model.predict(encoding, prompts, None, no_progress)
    assert np.array_equal(first.logits_kji, again.logits_kji)


def test_looking_closer_can_be_cancelled_between_windows(model: Segmenter, volume: Volume) -> None:
    encoding = model.encode(volume, None, no_progress)

    def cancel(fraction: float, phrase: str) -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model.predict(encoding, [Text("liver")], None, cancel)


def test_names_as_labels_write_them_are_words(model: Segmenter, volume: Volume) -> None:
    answers = [
        predicted(model, volume, [Text(name)]).mask.array_kji
        for name in ("left kidney", "kidney_left", "liver")
    ]
    assert np.array_equal(answers[0], answers[1]) and not np.array_equal(answers[0], answers[2])
    with pytest.raises(PromptError, match="tokens; give a shorter one"):
        predicted(model, volume, [Text("kidney " * 90)])


def test_both_published_layouts_are_one_network(
    model: Segmenter, volume: Volume, tmp_path: Path
) -> None:
    page = write_checkpoint(tmp_path / "pytorch_model.bin", page=True)
    other = create("segvol", "cpu", weights=page)
    prompts = [Text("liver")]
    found = predicted(model, volume, prompts)
    assert np.array_equal(predicted(other, volume, prompts).logits_kji, found.logits_kji)


def test_weights_of_another_network_are_refused_by_name(network: Any, tmp_path: Path) -> None:
    good = published_layout(network)
    bad = tmp_path / "bad.pth"
    for change, message in (
        ({"mask_decoder.extra": torch.zeros(1)}, "mask_decoder.extra is unknown"),
        ({"image_encoder.norm.weight": None}, "image_encoder.norm.weight is missing"),
        ({"text_encoder.dim_align.bias": torch.zeros(7)}, r"\(7,\) instead of \(32,\)"),
        ({"text_encoder.dim_align.bias": torch.full((32,), torch.inf)}, "not finite numbers"),
        ({"image_encoder.patch_embedding.position_embeddings": None}, "none of SegVol's"),
    ):
        changed = {n: t for n, t in {**good, **change}.items() if t is not None}
        torch.save({"model": {f"module.{n}": t for n, t in changed.items()}}, bad)
        with pytest.raises(WeightsError, match=message):
            create("segvol", "cpu", weights=bad)


# Some names of the published file, so that the table is not only right about itself.
PUBLISHED_NAMES = (
    "image_encoder.patch_embedding.position_embeddings",
    "image_encoder.patch_embedding.patch_embeddings.1.weight",
    "image_encoder.blocks.11.mlp.linear1.weight",
    "image_encoder.blocks.0.attn.qkv.weight",
    "image_encoder.blocks.0.attn.out_proj.bias",
    "image_encoder.norm.weight",
    "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    "prompt_encoder.point_embeddings.3.weight",
    "prompt_encoder.mask_downscaling.6.weight",
    "mask_decoder.transformer.layers.1.cross_attn_image_to_token.out_proj.weight",
    "mask_decoder.output_upscaling.1.weight",
    "mask_decoder.txt_align_upscaled_embedding.weight",
    "text_encoder.clip_text_model.text_model.embeddings.token_embedding.weight",
    "text_encoder.clip_text_model.text_model.encoder.layers.11.mlp.fc1.weight",
    "text_encoder.clip_text_model.text_model.final_layer_norm.bias",
    "text_encoder.dim_align.weight",
)


def test_the_published_network_has_the_published_names_and_size() -> None:
    network = empty_network(FULL)
    layout = published_layout(network)
    assert not [name for name in PUBLISHED_NAMES if name not in layout]
    assert layout["mask_decoder.output_upscaling.1.weight"].shape == (192, 16, 32, 32)
    assert layout["image_encoder.patch_embedding.patch_embeddings.1.weight"].shape == (768, 1024)
    # The file of its page has 724 MB.
    assert round(sum(4 * tensor.numel() for tensor in layout.values()) / 1e6) == 724


def test_options_and_missing_weights_are_answered_in_a_sentence(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="zoom is 'maybe'; give true or false"):
        create("segvol", "cpu", weights=path, zoom="maybe")
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    said = r"licence: not stated for the weights.*huggingface.co/BAAI/SegVol; run"
    with pytest.raises(WeightsError, match=said):
        create("segvol", "cpu")
