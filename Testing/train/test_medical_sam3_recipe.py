"""SAM 3's own fine-tuning as a recipe: its schedule, and slices made smaller at random."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from MedSegFMLib.errors import TrainingError  # noqa: E402
from MedSegFMLib.train.counters import Counters  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.augmentation import made_smaller  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.settings import MedicalSam3Settings  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.slices import TextBatch  # noqa: E402
from MedSegFMLib.train.schedule import InverseRootSchedule  # noqa: E402
from MedSegFMLib.train.settings_text import parse_settings  # noqa: E402

SIDE, MASK_SIDE = 56, 16


def made_batch() -> TextBatch:
    """Two slices, of which the second shows a bright rectangle."""
    images = torch.zeros(2, 3, SIDE, SIDE)
    masks = torch.zeros(1, MASK_SIDE, MASK_SIDE)
    masks[0, 4:12, 2:10] = 1
    images[1, :, 14:42, 7:35] = 1
    # Centre and widths along columns and rows, as fractions.
    boxes = torch.tensor([[6 / 16, 8 / 16, 8 / 16, 8 / 16]])
    words = torch.ones(2, 4, dtype=torch.int64)
    return TextBatch(images, words, words, torch.tensor([1]), boxes, masks)


def test_the_rate_rises_falls_by_the_inverse_root_and_ends_at_nothing() -> None:
    schedule = InverseRootSchedule(steps=1000, warmup=20, cooldown=20, timescale=20)
    factors = [schedule.factor(Counters(steps=n), n / 1000) for n in range(1001)]
    assert factors[0] == 1 / 20 and factors[19] == factors[20] == 1
    for n in (40, 100, 500, 980):
        assert factors[n] == pytest.approx(math.sqrt(20 / n))
    assert factors[990] == pytest.approx(math.sqrt(20 / 990) / 2) and factors[1000] == 0
    assert factors[20:] == sorted(factors[20:], reverse=True)


def test_one_word_sets_the_schedule_and_the_sizes() -> None:
    settings = parse_settings(MedicalSam3Settings, ["out=run", "recipe=sam3", "steps=50"])
    assert (settings.fall, settings.warmup, settings.cooldown) == ("inverse", 20, 20)
    assert settings.smallest == 480 / 1008 and settings.steps == 50
    with pytest.raises(TrainingError, match="fall is"):
        parse_settings(MedicalSam3Settings, ["out=run", "fall=linear"])
    with pytest.raises(TrainingError, match="smallest is 0"):
        parse_settings(MedicalSam3Settings, ["out=run", "smallest=0"])


def test_image_box_and_mask_of_a_slice_become_smaller_together() -> None:
    batch, rng = made_batch(), np.random.default_rng(0)
    factors = set()
    for _ in range(60):
        made = made_smaller(batch, 0.4, rng)
        assert made.images.shape == batch.images.shape and made.masks.shape == batch.masks.shape
        factor = float(made.boxes[0, 2] / batch.boxes[0, 2])
        factors.add(factor)
        assert 0.4 <= factor <= 1
        # In steps of 32 of 1,008 pixels, which is two of this small side or one.
        step = max(1, round(32 / 1008 * SIDE))
        assert abs(factor * SIDE / step - round(factor * SIDE / step)) < 1e-4
        assert torch.allclose(made.boxes, factor * batch.boxes)
        # The rectangle is where the box is, and all beyond the slice is black.
        shown = made.images[1, 0] > 0.5
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        assert abs(rows[0] - 14 * factor) <= 1.5 and abs(columns[-1] + 1 - 35 * factor) <= 1.5
        beyond = math.ceil(SIDE * factor) + 1
        assert (made.images[1, :, beyond:] == -1).all() and (
            made.images[1, :, :, beyond:] == -1
        ).all()
        inside = np.argwhere(made.masks[0].numpy())
        assert np.allclose(inside.mean(axis=0) + 0.5, [8 * factor, 6 * factor], atol=1)
    assert len(factors) > 6


def test_a_mask_of_one_pixel_is_never_lost() -> None:
    batch = made_batch()
    dot = torch.zeros_like(batch.masks)
    dot[0, 7, 7] = 1
    for seed in range(10):
        made = made_smaller(replace(batch, masks=dot), 0.2, np.random.default_rng(seed))
        assert made.masks.sum() >= 1


def test_slices_stay_as_they_are_by_default() -> None:
    batch = made_batch()
    assert made_smaller(batch, 1.0, np.random.default_rng(0)) is batch
