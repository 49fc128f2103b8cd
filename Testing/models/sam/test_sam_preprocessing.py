"""Slices as SAM and MedSAM take them, against the code that they were published with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide
from skimage.transform import resize
from torch.nn.functional import interpolate

from MedSegFMLib.models.planar.propagation import PixelPrompt
from MedSegFMLib.models.sam.preprocessing import (
    MedsamPreprocessor,
    SamPreprocessor,
    bicubic,
    slice_logits,
)

SHAPES = [(90, 140), (140, 90), (1100, 300)]


def picture(shape: tuple[int, int]) -> np.ndarray:
    """Smooth shapes with noise, 0 to 255."""
    row, column = np.indices(shape) / 30
    noise = np.random.default_rng(0).normal(0, 8, shape)
    return (110 + 90 * np.sin(row) * np.cos(column) + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_sam_sees_what_its_predictor_shows_it(shape: tuple[int, int]) -> None:
    preprocessor, shown = SamPreprocessor("1024"), picture(shape)
    plan = preprocessor.resize_plan(shape)
    colour = ResizeLongestSide(1024).apply_image(np.repeat(shown[..., None], 3, 2))
    assert plan.content == colour.shape[:2] and plan.input == (1024, 1024)
    mean, std = (
        np.array(v)[:, None, None] for v in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    )
    expected = np.zeros((3, 1024, 1024))
    expected[:, : plan.content[0], : plan.content[1]] = (colour.transpose(2, 0, 1) - mean) / std
    assert np.abs(preprocessor.images(shown[None], plan)[0] - expected).max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_sam_prompts_are_scaled_as_its_predictor_scales_them(shape: tuple[int, int]) -> None:
    transform = ResizeLongestSide(1024)
    prompt = (
        SamPreprocessor("1024")
        .resize_plan(shape)
        .prompt(PixelPrompt((10, 20, 61, 81), ((30, 40, True),)))
    )
    assert prompt.box == pytest.approx(
        tuple(transform.apply_boxes(np.array([[20, 10, 80, 60]]), shape)[0])
    )
    point = transform.apply_coords(np.array([40, 30]), shape)
    assert prompt.points[0] == pytest.approx((*point, True))


@pytest.mark.parametrize("shape", SHAPES)
def test_sam_answers_are_brought_back_as_its_predictor_does(shape: tuple[int, int]) -> None:
    preprocessor = SamPreprocessor("1024")
    plan = preprocessor.resize_plan(shape)
    low = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)

    class Encoder(torch.nn.Module):
        img_size = 1024

    sam = Sam(Encoder(), torch.nn.Identity(), torch.nn.Identity())
    expected = sam.postprocess_masks(torch.from_numpy(low)[None, None], plan.content, shape)
    assert np.abs(slice_logits(preprocessor, low, plan) - expected[0, 0].numpy()).max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_medsam_sees_what_its_published_script_shows_it(shape: tuple[int, int]) -> None:
    shown = picture(shape)
    expected = resize(shown, (1024, 1024), order=3, preserve_range=True, anti_aliasing=True).astype(
        np.uint8
    )
    resized = bicubic(shown, (1024, 1024))
    assert np.abs(resized.astype(int) - expected).max() <= 1
    assert (resized != expected).mean() < 1e-3
    preprocessor = MedsamPreprocessor("1024")
    image = preprocessor.images(shown[None], preprocessor.resize_plan(shape))[0]
    low, high = float(expected.min()), float(expected.max())
    # A level apart at most, of those between the least and the greatest.
    assert np.abs(image - (expected - low) / (high - low)).max() < 1.1 / (high - low)
    assert (image.min(), image.max()) == (0, 1)


def test_medsam_boxes_are_scaled_along_each_side() -> None:
    plan = MedsamPreprocessor("1024").resize_plan((128, 256))
    prompt = plan.prompt(PixelPrompt((16, 32, 65, 97)))
    assert prompt.box == pytest.approx((32 * 4, 16 * 8, 96 * 4, 64 * 8))


@pytest.mark.parametrize("shape", SHAPES)
def test_medsam_masks_are_those_of_its_published_script(shape: tuple[int, int]) -> None:
    preprocessor = MedsamPreprocessor("1024")
    low = np.random.default_rng(0).normal(0, 3, size=(256, 256)).astype(np.float32)
    expected = interpolate(
        torch.from_numpy(low)[None, None].sigmoid(), shape, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    logits = slice_logits(preprocessor, low, preprocessor.resize_plan(shape))
    clear = np.abs(expected - 0.5) > 1e-6
    assert np.array_equal((logits > 0)[clear], (expected > 0.5)[clear])
    assert np.abs(1 / (1 + np.exp(-logits)) - expected).max() < 1e-5


@pytest.mark.parametrize("preprocessor", [SamPreprocessor("native"), MedsamPreprocessor("native")])
def test_at_native_size_pixels_stay_as_they_are(
    preprocessor: SamPreprocessor | MedsamPreprocessor,
) -> None:
    shown = picture((37, 64))
    plan = preprocessor.resize_plan((37, 64))
    assert plan.input == (48, 64) and plan.content == plan.slice_size == (37, 64)
    image = preprocessor.images(shown[None], plan)[0]
    # Each channel is the slice but for a scale and a shift; below it are zeros.
    assert not image[:, 37:].any()
    for channel in image[:, :37]:
        assert np.corrcoef(channel.ravel(), shown.ravel())[0, 1] == pytest.approx(1)
    prompt = plan.prompt(PixelPrompt((1, 2, 31, 41), ((5, 6, False),)))
    assert prompt.box == (2, 1, 40, 30) and prompt.points == ((6, 5, False),)
    low = np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32)
    low[:, :8] = -3
    low[:, 8:] = 3
    logits = slice_logits(preprocessor, low, plan)
    assert logits.shape == (37, 64) and (logits[:, :30] < 0).all() and (logits[:, 34:] > 0).all()


def test_at_native_size_a_very_large_picture_is_brought_to_the_published_1024() -> None:
    plan = SamPreprocessor("native").resize_plan((1500, 3000))
    assert plan.content == plan.input == (512, 1024)
    assert SamPreprocessor("native").resize_plan((1000, 1024)).content == (1000, 1024)


@pytest.mark.parametrize("kind", [SamPreprocessor, MedsamPreprocessor])
def test_a_magnified_region_keeps_its_proportions(
    kind: type[SamPreprocessor] | type[MedsamPreprocessor],
) -> None:
    preprocessor = kind("224")
    plan = preprocessor.resize_plan((28, 56))
    assert plan.content == (112, 224) and plan.input == (112, 224)
    assert preprocessor.resize_plan((29, 56)).input == (128, 224)
    low = np.full((28, 56), -3, np.float32)
    low[10:20, 30:40] = 3
    logits = slice_logits(preprocessor, low, plan)
    # Low-resolution logits of a quarter of 224 pixels are the region's own here.
    assert np.array_equal(logits > 0, low > 0)
    assert plan.prompt(PixelPrompt((10, 20, 21, 41))).box == (80, 40, 160, 80)


def test_a_slice_of_one_value_gives_no_nan() -> None:
    for preprocessor in (
        MedsamPreprocessor("native"),
        MedsamPreprocessor("1024"),
        SamPreprocessor("1024"),
    ):
        shown = np.full((1, 20, 30), 7, np.uint8)
        assert np.isfinite(preprocessor.images(shown, preprocessor.resize_plan((20, 30)))).all()
