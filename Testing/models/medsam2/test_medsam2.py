"""MedSAM2 in a volume: the same as transformers' own session for videos, and what is ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medsam2_checkpoints import SIDE, random_medsam2, write_checkpoint
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate
from transformers import (
    Sam2ImageProcessor,
    Sam2VideoInferenceSession,
    Sam2VideoProcessor,
    Sam2VideoVideoProcessor,
)

from MedSegFMLib import Box, Geometry, Point, Prediction, Volume, create
from MedSegFMLib.errors import Cancelled, ModelError
from MedSegFMLib.models.medsam2.model import CARD
from MedSegFMLib.models.medsam2.segmenter import keep_largest
from MedSegFMLib.models.planar.fusion import FAR_LOGIT
from MedSegFMLib.models.planar.grey_levels import GreyWindow
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (9, 40, 48)
# Axial slices of this grid are stacked, turned and flipped as they are stored.
GEOMETRY = Geometry.from_spacing(SHAPE, (1, 1, 1), np.diag([-1.0, -1.0, 1.0]))

# Clicks are (column, row, on the object) by slice; boxes (columns and rows from, to the last).
Clicks = Mapping[int, Sequence[tuple[int, int, bool]]]
Boxes = Mapping[int, tuple[int, int, int, int]]


@pytest.fixture(scope="module")
def network() -> Any:
    return random_medsam2()


@pytest.fixture(scope="module")
def volume() -> Volume:
    """A bright body in noise."""
    rng = np.random.default_rng(0)
    array = rng.integers(1, 120, SHAPE).astype(np.uint8)
    array[2:8, 10:30, 8:36] += 100
    return Volume(array, GEOMETRY)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("medsam2"), upstream=True)


def frames_of(volume: Volume) -> torch.Tensor:
    """Slices as MedSAM2's own script prepares them, from grey levels."""
    whole = Region.whole(volume.array_kji.shape)
    levels = GreyWindow.from_volume(volume).grey_levels(volume.array_kji, whole)
    images = [Image.fromarray(level).convert("RGB").resize((SIDE, SIDE)) for level in levels]
    video = torch.from_numpy(np.stack([np.array(image) for image in images])) / 255.0
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((video - mean) / deviation).permute(0, 3, 1, 2).float()


def transformers_logits(
    network: Any,
    frames: torch.Tensor,
    size: tuple[int, int],
    boxes: Boxes,
    clicks: Clicks,
    held: Mapping[int, NDArray[np.bool_]] | None = None,
) -> dict[int, NDArray[np.float32]]:
    """Slices of one object, forward and then, in a new session, backward from all prompts."""
    processor = Sam2VideoProcessor(
        Sam2ImageProcessor(), Sam2VideoVideoProcessor(), target_size=SIDE
    )
    held = held or {}
    known = sorted({*boxes, *clicks} - set(held)) + sorted(held)
    found: dict[int, NDArray[np.float32]] = {}
    for backward in (False, True):
        session = Sam2VideoInferenceSession(
            video=frames, video_height=size[0], video_width=size[1], dtype=torch.float32
        )
        for index in sorted(known):
            if index in held:
                processor.process_new_mask_for_video_frame(session, index, [1], held[index])
            else:
                given: dict[str, Any] = {}
                if index in boxes:
                    given["input_boxes"] = [[list(boxes[index])]]
                if clicks.get(index):
                    given["input_points"] = [[[[x, y] for x, y, _ in clicks[index]]]]
                    given["input_labels"] = [[[int(on) for *_, on in clicks[index]]]]
                processor.process_new_points_or_boxes_for_video_frame(session, index, [1], **given)
            network(session, frame_idx=index)
        for output in passed(network, session, known, backward):
            there = interpolate(output.pred_masks, size, mode="bilinear", align_corners=False)
            found[output.frame_idx] = there[0, 0].numpy()
    return found


def passed(network: Any, session: Any, known: Sequence[int], backward: bool) -> Iterator[Any]:
    """One pass: transformers' own from one prompt; from several, of the slices nearest to them."""
    if len(known) == 1:
        yield from network.propagate_in_video_iterator(session, known[0], reverse=backward)
        return
    for index in sorted(range(session.num_frames), reverse=backward):
        nearest = min(known, key=lambda n, index=index: (abs(n - index), n))
        if index in known or (nearest > index) == backward:
            yield network(session, frame_idx=index, reverse=backward)


def predicted(path: Path, volume: Volume, prompts: Sequence[Any], **options: Any) -> Prediction:
    model = create("medsam2", "cpu", weights=path, **options)
    return model.predict(model.encode(volume, None, no_progress), prompts, None, no_progress)


def box(low_kji: Sequence[int], stop_kji: Sequence[int]) -> Box:
    return Box.from_ijk(GEOMETRY, tuple(low_kji)[::-1], tuple(stop_kji)[::-1])


def click(k: int, j: int, i: int, positive: bool = True) -> Point:
    return Point.from_ijk(GEOMETRY, (i, j, k), positive)


WHOLE = box((0, 10, 8), (9, 30, 36))
CASES: dict[str, tuple[list[Any], Boxes, Clicks]] = {
    "a box": ([WHOLE], {4: (8, 10, 35, 29)}, {}),
    "a box on some slices": ([box((1, 5, 3), (6, 30, 36))], {3: (3, 5, 35, 29)}, {}),
    "two boxes": (
        [box((0, 10, 8), (4, 30, 36)), box((4, 12, 10), (9, 28, 30))],
        {2: (8, 10, 35, 29), 6: (10, 12, 29, 27)},
        {},
    ),
    "a click": ([click(4, 20, 15)], {}, {4: [(15, 20, True)]}),
    "clicks": (
        [click(3, 20, 15), click(3, 4, 40, False), click(3, 22, 30)],
        {},
        {3: [(15, 20, True), (40, 4, False), (30, 22, True)]},
    ),
    "a box and clicks on its slice": (
        [WHOLE, click(4, 20, 15), click(4, 12, 30, False)],
        {4: (8, 10, 35, 29)},
        {4: [(15, 20, True), (30, 12, False)]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_masks_are_those_of_transformers_own_session(
    name: str, network: Any, volume: Volume, path: Path
) -> None:
    prompts, boxes, clicks = CASES[name]
    found = predicted(path, volume, prompts)
    wanted = transformers_logits(network, frames_of(volume), SHAPE[1:], boxes, clicks)
    visited = np.flatnonzero((found.logits_kji > -FAR_LOGIT).any(axis=(1, 2))).tolist()
    assert visited == (list(range(1, 6)) if "some" in name else list(range(9)))
    for index in visited:
        mask = found.logits_kji[index] > 0
        expected = wanted[index] > 0
        assert 0.02 < expected.mean() < 0.98
        # Clicked voxels have their own labels.
        for x, y, on in clicks.get(index, []):
            assert mask[y, x] == on
            expected[y, x] = on
        assert np.array_equal(mask, expected)
        # Answers are kept in 16 bits.
        far = np.abs(wanted[index]) > FAR_LOGIT
        close = np.isclose(found.logits_kji[index], wanted[index], atol=5e-3, rtol=1e-3)
        assert (close | far).mean() > 0.99


def test_a_click_on_a_further_slice_anchors_it_and_keeps_the_first_slice(
    network: Any, volume: Volume, path: Path
) -> None:
    first = predicted(path, volume, [WHOLE])
    on = bool(first.logits_kji[7, 20, 15] > 0)
    second = predicted(path, volume, [WHOLE, click(7, 20, 15, not on)])
    assert np.array_equal(second.logits_kji[4], first.logits_kji[4])
    assert not np.array_equal(second.logits_kji[7] > 0, first.logits_kji[7] > 0)
    # The corrected slice is memorised as it was before the clicked voxel got its label.
    equal = []
    for label in (on, not on):
        held = second.logits_kji[7] > 0
        held[20, 15] = label
        wanted = transformers_logits(
            network, frames_of(volume), SHAPE[1:], {4: (8, 10, 35, 29)}, {}, {7: held}
        )
        others = [n for n in range(9) if n != 7]
        equal.append(all(np.array_equal(second.logits_kji[n] > 0, wanted[n] > 0) for n in others))
    assert any(equal)


def test_each_plane_is_followed_by_itself(volume: Volume, path: Path) -> None:
    names = ("axial", "coronal", "sagittal")
    together = predicted(path, volume, [WHOLE], planes="axial,coronal,sagittal")
    for name in names:
        alone = predicted(path, volume, [WHOLE], planes=name)
        assert np.array_equal(alone.planes[name], together.planes[name])
    assert set(together.planes) == set(names)


def test_a_pass_in_one_direction_leaves_the_other_side(volume: Volume, path: Path) -> None:
    both = predicted(path, volume, [WHOLE]).logits_kji
    forward = predicted(path, volume, [WHOLE], propagation="forward").logits_kji
    backward = predicted(path, volume, [WHOLE], propagation="backward").logits_kji
    assert np.array_equal(forward[4:], both[4:]) and (forward[:4] == -FAR_LOGIT).all()
    assert np.array_equal(backward[:5], both[:5]) and (backward[5:] == -FAR_LOGIT).all()


def test_only_the_largest_part_is_kept_if_asked(volume: Volume, path: Path) -> None:
    logits = np.full((2, 5, 5), -1, np.float32)
    logits[0, 0, :2] = logits[:, 3:, 3:] = 2
    keep_largest(logits)
    assert (logits > 0).sum() == 8 and logits[0, 0, 0] == -FAR_LOGIT
    whole = predicted(path, volume, [WHOLE]).logits_kji > 0
    largest = predicted(path, volume, [WHOLE], largest="true").logits_kji > 0
    assert largest.any() and not (largest & ~whole).any()


def test_a_window_changes_what_the_network_sees(volume: Volume, path: Path) -> None:
    # A preset by name, as a workstation's, and one by numbers.
    ct = Volume(volume.array_kji.astype(np.int16) * 10 - 1000, GEOMETRY, modality="CT")
    answers = [
        predicted(path, ct, [WHOLE], window=window).logits_kji
        for window in ("auto", "abdomen", "lung", "-600,1500")
    ]
    assert np.array_equal(answers[0], answers[1]) and np.array_equal(answers[2], answers[3])
    assert not np.array_equal(answers[0], answers[2])


def test_clicks_off_the_object_alone_say_nothing(volume: Volume, path: Path) -> None:
    found = predicted(path, volume, [click(4, 20, 15, False)])
    assert (found.logits_kji <= 0).all()


def test_what_was_encoded_is_not_encoded_again(
    volume: Volume, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = create("medsam2", "cpu", weights=path)
    encoding = model.encode(volume, None, no_progress)
    first = model.predict(encoding, [WHOLE], None, no_progress)
    from MedSegFMLib.models.medsam2.torch_runtime import TorchSam2Encoder

    monkeypatch.setattr(TorchSam2Encoder, "encode", None)
    model.predict(encoding, [WHOLE, click(6, 20, 15)], None, no_progress)
    again = model.predict(encoding, [WHOLE], None, no_progress)
    assert np.array_equal(first.logits_kji, again.logits_kji)


def test_following_can_be_cancelled_between_slices(volume: Volume, path: Path) -> None:
    model = create("medsam2", "cpu", weights=path)
    encoding = model.encode(volume, None, no_progress)

    def cancel(fraction: float, phrase: str) -> None:
        if fraction > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model.predict(encoding, [WHOLE], None, cancel)
    told: list[float] = []
    model.predict(encoding, [WHOLE], None, lambda fraction, _: told.append(fraction))
    assert told == sorted(told)


def test_options_are_data_and_refused_in_a_sentence(path: Path) -> None:
    names = [option.name for option in CARD.options]
    assert names == ["planes", "fusion", "propagation", "largest", "window", "cache_bytes"]
    for wrong, message in (
        ({"propagation": "up"}, "no propagation 'up'; choose from both, forward, backward"),
        ({"planes": "oblique"}, "no plane 'oblique'"),
        ({"fusion": "best"}, "no fusion 'best'"),
        ({"largest": "maybe"}, "largest is 'maybe'; give true or false"),
        ({"window": "fog"}, "window=fog cannot be used"),
        ({"cache_bytes": "much"}, "'much' bytes"),
    ):
        with pytest.raises(ModelError, match=message):
            create("medsam2", "cpu", weights=path, **wrong)
