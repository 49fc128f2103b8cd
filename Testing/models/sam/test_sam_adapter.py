"""SAM and MedSAM as models of volumes; most of it with a network that sees brightness alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sam_checkpoints import TINY, random_sam, tiny_is_published, write_checkpoint
from sample_volumes import ball, directions_of
from segment_anything import SamPredictor, modeling
from skimage.transform import resize
from torch.nn.functional import interpolate

from MedSegFMLib import Box, Geometry, Point, Region, Session, Volume, create
from MedSegFMLib.errors import Cancelled, ModelError, PromptError, WeightsError
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.planar.fusion import FAR_LOGIT
from MedSegFMLib.models.planar.grey_levels import GreyWindow
from MedSegFMLib.models.planar.stacks import PLANE_NAMES
from MedSegFMLib.models.sam import medsam
from MedSegFMLib.models.sam import model as sam
from MedSegFMLib.models.sam.preprocessing import (
    MedsamPreprocessor,
    SamPreprocessor,
    SlicePreprocessor,
)
from MedSegFMLib.models.sam.runtime import SlicePrompt
from MedSegFMLib.models.sam.segmenter import PlanarSegmenter
from MedSegFMLib.models.sam.torch_runtime import TorchSamRuntime
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.segmenter import Logits, ModelCard


class Bright:
    """What is bright within the box, or anywhere for a click; counts what it is asked.

    A patch's first 16 channels are its 4 x 4 blocks, so that nothing of the answer is lost.
    """

    config = TINY

    def __init__(self) -> None:
        self.encoded: list[int] = []
        self.decoded: list[int] = []

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        progress(0.0, "encoding")
        self.encoded.append(len(images))
        count, _, high, wide = images.shape
        blocks = images[:, 0].reshape(count, high // 16, 4, 4, wide // 16, 4, 4).mean(axis=(3, 6))
        features = np.zeros((count, 256, high // 16, wide // 16), np.float32)
        features[:, :16] = blocks.transpose(0, 2, 4, 1, 3).reshape(count, 16, *features.shape[2:])
        return list(features)

    def decode(
        self,
        features: Sequence[NDArray[Any]],
        prompts: Sequence[SlicePrompt],
        size_hw: tuple[int, int],
    ) -> list[Logits]:
        self.decoded.append(len(features))
        return [self._mask(f, p, size_hw) for f, p in zip(features, prompts, strict=True)]

    def _mask(self, features: NDArray[Any], prompt: SlicePrompt, size: tuple[int, int]) -> Logits:
        high, wide = (side // 16 for side in size)
        blocks = features[:16].astype(np.float32).reshape(4, 4, high, wide)
        image = blocks.transpose(2, 0, 3, 1).reshape(4 * high, 4 * wide)
        logits = 8 * (image - 0.5)
        if prompt.box is not None:
            x0, y0, x1, y1 = (v / 4 for v in prompt.box)
            rows, columns = np.arange(4 * high)[:, None], np.arange(4 * wide)
            inside = (rows >= y0 - 1) & (rows <= y1) & (columns >= x0 - 1) & (columns <= x1)
            logits = np.where(inside, logits, -4)
        return np.asarray(logits, np.float32)


def segmenter(runtime: Bright, size: str = "native", **options: Any) -> PlanarSegmenter:
    """SAM around a network; MedSAM's pictures, whose brightness is 0 to 1."""
    given = {"fusion": "reliable", "planes": PLANE_NAMES, "cache_bytes": 1 << 26, **options}
    return PlanarSegmenter(sam.CARD, runtime, MedsamPreprocessor(size), **given)


@pytest.fixture
def grid(directions: np.ndarray) -> Geometry:
    return Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5), directions, (3, -20, 11))


def session_of(model: PlanarSegmenter, volume: Volume, *prompts: Box | Point) -> Session:
    session = Session(model, volume)
    for prompt in prompts:
        session.add(prompt)
    return session


def test_a_box_gives_the_object_in_every_orientation(grid: Geometry) -> None:
    volume, mask, box = ball(grid)
    prediction = session_of(segmenter(Bright()), volume, box).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9
    assert list(prediction.planes) == list(PLANE_NAMES)
    for likely in prediction.planes.values():
        assert likely.shape == prediction.logits_kji.shape and likely.dtype == np.float32
        assert likely.min() >= 0 and likely.max() <= 1
        assert dice(mask[prediction.region.slices], likely > 0.5) > 0.8


def test_a_region_that_is_magnified_gives_the_object_more_exactly() -> None:
    volume, mask, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    scores = [
        dice(mask, session_of(segmenter(Bright(), s), volume, box).predict().mask.array_kji)
        for s in ("native", "224")
    ]
    assert scores[1] > max(scores[0], 0.97)


def test_a_click_alone_gives_the_object(grid: Geometry) -> None:
    volume, mask, _ = ball(grid)
    click = Point.from_ijk(grid, (18, 20, 15))
    prediction = session_of(segmenter(Bright()), volume, click).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9


@pytest.mark.parametrize("size", ["native", "1024"])
def test_a_volume_with_other_axes_gives_the_same_object(size: str) -> None:
    grid = Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5))
    volume = ball(grid)[0]
    box = Box.from_ijk(grid, (16, 8, 3), (20, 32, 27))
    planes = ("sagittal",) if size == "1024" else PLANE_NAMES
    model = segmenter(Bright(), size, planes=planes)
    first = session_of(model, volume, box).predict()
    second = session_of(model, volume.permute((2, 0, 1)).flip(1), box).predict()
    moved = np.flip(first.mask.array_kji.transpose(2, 0, 1), 1)
    assert np.array_equal(second.mask.array_kji, moved)
    for name, likely in first.planes.items():
        assert np.array_equal(second.planes[name], np.flip(likely.transpose(2, 0, 1), 1))


def test_only_the_planes_that_are_named_are_looked_at() -> None:
    volume, mask, box = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))
    prediction = session_of(segmenter(Bright(), planes=("coronal",)), volume, box).predict()
    assert list(prediction.planes) == ["coronal"]
    assert dice(mask, prediction.mask.array_kji) > 0.8


def test_only_slices_of_the_box_are_looked_at_each_once() -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))
    runtime = Bright()
    session_of(segmenter(runtime), volume, box).predict()
    # The ball is 24 voxels wide, and has that many slices in each of three planes.
    assert sum(runtime.encoded) == 3 * 24 and sum(runtime.decoded) == 3 * 24


def test_a_further_click_looks_at_no_slice_again_and_decodes_what_changed_alone() -> None:
    geometry = Geometry.from_spacing((30, 40, 36), (1, 1, 1))
    volume, _, box = ball(geometry)
    runtime = Bright()
    session = session_of(segmenter(runtime), volume, box)
    session.predict()
    encoded, decoded = sum(runtime.encoded), sum(runtime.decoded)
    session.add(Point.from_ijk(geometry, (18, 20, 15)))
    session.predict()
    assert sum(runtime.encoded) == encoded
    # The clicked slice of each plane; the masks of the others come out as before.
    assert sum(runtime.decoded) == decoded + 3


def test_both_ways_of_all_planes_are_decoded_together_where_the_pictures_are_of_one_size() -> None:
    volume, _, box = ball(Geometry.from_spacing((40, 40, 40), (1, 1, 1)))
    runtime = Bright()
    session_of(segmenter(runtime), volume, box).predict()
    assert runtime.decoded[0] == 3 and set(runtime.decoded[1:-1]) == {6}


def test_a_larger_region_at_1024_looks_at_no_slice_again() -> None:
    volume = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))[0]
    runtime = Bright()
    model = segmenter(runtime, "1024", planes=("axial",))
    box = Box.from_ijk(volume.geometry, (10, 12, 13), (26, 28, 17))
    for region in (Region((8, 8, 8), (22, 30, 30)), Region.whole(volume.geometry.shape_kji)):
        model.predict(model.encode(volume, region, no_progress), [box], None, no_progress)
    assert sum(runtime.encoded) == 4 and sum(runtime.decoded) == 8


def test_features_stay_within_their_bytes_and_the_answer_is_the_same() -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))
    tight, wide = Bright(), Bright()
    model = segmenter(tight, cache_bytes=10_000)
    first = session_of(model, volume, box).predict()
    second = session_of(segmenter(wide), volume, box).predict()
    assert np.array_equal(first.logits_kji, second.logits_kji)
    held = model._features._cache
    assert sum(item.nbytes for item in held._items.values()) <= 10_000
    assert sum(tight.encoded) >= sum(wide.encoded)


def test_a_new_volume_lets_the_features_of_the_old_one_go() -> None:
    geometry = Geometry.from_spacing((30, 40, 36), (1, 1, 1))
    volume, _, box = ball(geometry)
    runtime = Bright()
    model = segmenter(runtime)
    old = session_of(model, volume, box)
    first = old.predict()
    other = volume.with_array(volume.array_kji[::-1] + 1)
    encoded = sum(runtime.encoded)
    session_of(model, other, box).predict()
    assert sum(runtime.encoded) == 2 * encoded
    # The old volume's session still gives the old volume's answer.
    old.add(Point.from_ijk(geometry, (18, 20, 15)))
    old.predict()
    old.undo()
    assert np.array_equal(old.predict().logits_kji, first.logits_kji)


def test_a_background_click_takes_its_voxel_out() -> None:
    geometry = Geometry.from_spacing((30, 40, 36), (1, 1, 1))
    volume, _, box = ball(geometry)
    session = session_of(segmenter(Bright()), volume, box)
    session.add(Point.from_ijk(geometry, (18, 20, 15), positive=False))
    assert session.predict().mask.array_kji[15, 20, 18] == 0


def test_encoding_and_every_slice_can_be_cancelled() -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))
    told: list[tuple[float, str]] = []
    session_of(segmenter(Bright()), volume, box).predict(
        progress=lambda fraction, phrase: told.append((fraction, phrase))
    )
    assert len(told) > 20 and [f for f, _ in told] == sorted(f for f, _ in told)
    for last in (1, 5, len(told) // 2, len(told) - 3):
        count = 0

        def cancel(fraction: float, phrase: str, last: int = last) -> None:
            nonlocal count
            count += 1
            if count > last:
                raise Cancelled("stopped")

        with pytest.raises(Cancelled):
            session_of(segmenter(Bright()), volume, box).predict(progress=cancel)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"fusion": "median"}, "fusion 'median'"),
        ({"planes": ("axial", "oblique")}, "plane 'oblique'"),
        ({"planes": ()}, "No plane"),
        ({"planes": "axial,oblique"}, "plane 'oblique'"),
        ({"cache_bytes": -1}, "'-1' bytes"),
        ({"cache_bytes": "much"}, "'much' bytes"),
        ({"size": "768"}, "size '768'"),
        ({"size": 768}, "size '768'"),
    ],
)
def test_an_option_that_there_is_not_is_refused(option: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        create("sam", "cpu", **option)


def test_medsam_takes_boxes_alone_and_sam_no_words() -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (1, 1, 1)))
    boxes_alone = PlanarSegmenter(
        medsam.CARD, Bright(), MedsamPreprocessor("native"), "mean", ("axial",), 1 << 20
    )
    session = session_of(boxes_alone, volume, box)
    with pytest.raises(
        PromptError, match=r"MedSAM.* does not support point prompts; it supports box"
    ):
        session.add(Point.from_ijk(volume.geometry, (18, 20, 15)))
    assert session.predict().mask.array_kji.any()
    assert sam.CARD.prompts == ("box", "point", "mask")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "tiny.pth")


def test_on_a_cpu_the_size_is_native_unless_it_is_said(checkpoint: Path) -> None:
    with tiny_is_published():
        chosen = create("sam", "cpu", weights=checkpoint)
        said = create("medsam", "cpu", weights=checkpoint, size=1024, planes="axial, coronal")
    assert isinstance(chosen, PlanarSegmenter) and chosen._preprocessor.size == "native"
    assert isinstance(chosen._preprocessor, SamPreprocessor)
    assert isinstance(said, PlanarSegmenter) and said._preprocessor.size == "1024"
    assert isinstance(said._preprocessor, MedsamPreprocessor)


def test_weights_that_are_not_there_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        create("medsam", "cpu", weights=tmp_path / "nowhere.pth")


@pytest.fixture(scope="module")
def picture() -> Volume:
    """One slice with something on it, as a volume whose axes run as the views show them."""
    row, column = np.indices((60, 90)) / 12
    array = (500 + 300 * np.sin(row) * np.cos(column)).astype(np.float32)
    array += np.random.default_rng(0).normal(0, 20, array.shape)
    return Volume(array[None], Geometry.from_spacing((1, 60, 90), (1, 1, 4), directions_of("LPS")))


def levels_of(volume: Volume) -> NDArray[np.uint8]:
    return GreyWindow.from_volume(volume).grey_levels(
        volume.array_kji, Region.whole(volume.geometry.shape_kji)
    )[0]


def by_torch(card: ModelCard, preprocessor: SlicePreprocessor) -> PlanarSegmenter:
    """A model around the tiny network, which OpenVINO takes long to prepare at 1024."""
    runtime = TorchSamRuntime(random_sam(), torch.device("cpu"))
    return PlanarSegmenter(card, runtime, preprocessor, "mean", PLANE_NAMES, 1 << 26)


def test_at_1024_sam_says_of_a_slice_what_its_own_predictor_says(picture: Volume) -> None:
    network = random_sam()
    own = modeling.Sam(network.image_encoder, network.prompt_encoder, network.mask_decoder)
    predictor = SamPredictor(own)
    predictor.set_image(np.repeat(levels_of(picture)[..., None], 3, 2))
    geometry = picture.geometry
    box, clicks = np.array([20, 10, 69, 49]), np.array([[40, 30], [25, 15]])
    model = by_torch(sam.CARD, SamPreprocessor("1024"))
    session = session_of(model, picture, Box.from_ijk(geometry, (20, 10, 0), (70, 50, 1)))
    encoding = model.encode(picture, Region.whole(geometry.shape_kji), no_progress)
    for count in (0, 1, 2):
        prompts = [prompt for _, prompt in session.prompts.entries]
        given = {"point_coords": clicks[:count], "point_labels": np.array([1, 0])[:count]}
        expected = predictor.predict(
            box=box, multimask_output=False, return_logits=True, **(given if count else {})
        )[0][0]
        found = model.predict(encoding, prompts, None, no_progress).planes["axial"][0]
        assert_alike(found, expected)
        if count < 2:
            session.add(Point.from_ijk(geometry, (*clicks[count], 0), positive=count == 0))
    expected, quality, _ = predictor.predict(
        point_coords=clicks[:1], point_labels=np.array([1]), return_logits=True
    )
    click = Point.from_ijk(geometry, (40, 30, 0))
    found = model.predict(encoding, [click], None, no_progress).planes["axial"][0]
    assert_alike(found, expected[quality.argmax()])


def test_at_1024_medsam_says_of_a_slice_what_its_published_script_says(picture: Volume) -> None:
    shown = np.repeat(levels_of(picture)[..., None], 3, 2)
    resized = resize(shown, (1024, 1024), order=3, preserve_range=True, anti_aliasing=True).astype(
        np.uint8
    )
    scaled = (resized - resized.min()) / np.clip(np.ptp(resized), 1e-8, None)
    network = random_sam()
    with torch.no_grad():
        features = network.image_encoder(torch.tensor(scaled).float().permute(2, 0, 1)[None])
        box = np.array([[20, 10, 69, 49]]) / np.array([90, 60, 90, 60]) * 1024
        sparse, dense = network.prompt_encoder(None, torch.tensor(box).float()[:, None], None)
        low, _ = network.mask_decoder(
            features, network.prompt_encoder.get_dense_pe(), sparse, dense, False
        )
        likely = interpolate(low.sigmoid(), (60, 90), mode="bilinear", align_corners=False)
    model = by_torch(medsam.CARD, MedsamPreprocessor("1024"))
    encoding = model.encode(picture, None, no_progress)
    prompt = Box.from_ijk(picture.geometry, (20, 10, 0), (70, 50, 1))
    found = model.predict(encoding, [prompt], None, no_progress).planes["axial"][0]
    assert_alike(found, likely[0, 0].logit().numpy())


def assert_alike(likely: NDArray[np.float32], logits: NDArray[np.float32]) -> None:
    """The same mask but where the logit is within rounding of 0, and nearly the same logits."""
    found = np.log(likely) - np.log1p(-likely)
    spread = float(np.ptp(logits))
    assert spread > 0.2 and (logits > 0).any() and (logits < 0).any()
    near = np.abs(found - logits.clip(-FAR_LOGIT, FAR_LOGIT))
    assert near.max() < 0.01 * spread
    clear = np.abs(logits) > near.max()
    assert clear.mean() > 0.9 and np.array_equal((likely > 0.5)[clear], (logits > 0)[clear])
