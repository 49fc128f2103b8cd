"""SAM-Med3D in a volume: the same as the package's network by its authors' steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sam_med3d_checkpoints import FULL, TINY, random_network, tiny_is_published, write_checkpoint
from torch.nn.functional import interpolate

from MedSegFMLib import Box, Geometry, Mask, Point, Prediction, Session, Volume, create
from MedSegFMLib.errors import Cancelled, PromptError, WeightsError
from MedSegFMLib.models.sam_med3d.cell_window import CellWindow
from MedSegFMLib.models.sam_med3d.network import skip_padding
from MedSegFMLib.models.sam_med3d.sizes import NetworkSizes
from MedSegFMLib.models.sam_med3d.torch_runtime import TorchRuntime
from MedSegFMLib.models.sam_med3d.weights import empty_network
from MedSegFMLib.progress import no_progress
from MedSegFMLib.segmenter import Segmenter
from MedSegFMLib.volumes.region import Region

# As stored, (k, j, i); as trained on, (right, anterior, superior), it is turned round.
SHAPE = (40, 44, 48)
GEOMETRY = Geometry.from_spacing(SHAPE, (1.5, 1.5, 1.5))
SIDE = TINY.side

Clicks = Sequence[tuple[tuple[int, int, int], bool]]


@pytest.fixture(autouse=True)
def tiny_base(one_thread: None) -> Iterator[None]:
    """The published network is a tiny one."""
    with tiny_is_published():
        yield


@pytest.fixture(scope="module")
def volume() -> Volume:
    """A bright body in noise, some of which is below 0."""
    rng = np.random.default_rng(0)
    array = rng.normal(20, 30, SHAPE).astype(np.float32)
    array[12:30, 10:30, 12:36] += 100
    return Volume(array, GEOMETRY)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("sam_med3d") / "sam_med3d_turbo.pth")


@pytest.fixture
def model(path: Path) -> Segmenter:
    return create("sam-med3d", "cpu", weights=path)


def cube_start(low_ijk: Sequence[int], stop_ijk: Sequence[int]) -> list[int]:
    """The first cell of torchio's `CropOrPad` around the cells from `low_ijk` on.

    A cube of an even side has its middle between two cells, or half a cell before it.
    """
    middles = (np.array(low_ijk) + np.array(stop_ijk)) / 2
    return [int(np.floor(middle)) - SIDE // 2 for middle in middles]


def authors_cube(cells_ijk: NDArray[np.float32], start: Sequence[int]) -> torch.Tensor:
    """A cube padded with 0, z-scored by its voxels above 0, as `ZNormalization` does."""
    padded = np.pad(cells_ijk, SIDE)
    cube = padded[tuple(slice(n + SIDE, n + 2 * SIDE) for n in start)]
    image = torch.from_numpy(cube.copy())
    values = image[image > 0]
    return (image - values.mean()) / values.std()


def authors_logits(
    network: Any, image: torch.Tensor, clicks: Clicks, start: Sequence[int]
) -> torch.Tensor:
    """The cube after one click after another, as in validation.py of the authors."""
    with torch.no_grad():
        features = network.image_encoder(image[None, None])
        low = torch.zeros(1, 1, SIDE // 4, SIDE // 4, SIDE // 4)
        for cell, positive in clicks:
            point = torch.tensor([[[c - s for c, s in zip(cell, start, strict=True)]]])
            sparse, dense = network.prompt_encoder(
                points=[point.float(), torch.tensor([[int(positive)]])], boxes=None, masks=low
            )
            low, _ = network.mask_decoder(
                image_embeddings=features,
                image_pe=network.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
        return interpolate(low, size=(SIDE,) * 3, mode="trilinear", align_corners=False)[0, 0]


def on_volume(cube: torch.Tensor, start: Sequence[int], geometry: Geometry) -> NDArray[np.float32]:
    """A cube in (i, j, k) on the volume, (k, j, i); NaN beyond the cube."""
    sizes = geometry.shape_kji[::-1]
    whole = np.full([n + 2 * SIDE for n in sizes], np.nan, np.float32)
    whole[tuple(slice(n + SIDE, n + 2 * SIDE) for n in start)] = cube.numpy()
    return whole[tuple(slice(SIDE, SIDE + n) for n in sizes)].transpose()


def predicted(model: Segmenter, volume: Volume, prompts: Sequence[Any]) -> Prediction:
    """Step by step, as sessions call a model."""
    encoding = model.encode(volume, None, no_progress)
    found = None
    for count in range(1, len(prompts) + 1):
        found = model.predict(encoding, prompts[:count], found, no_progress)
    assert found is not None
    return found


def click(ijk: tuple[int, int, int], positive: bool = True) -> Point:
    return Point.from_ijk(GEOMETRY, ijk, positive)


def check_equal(found: Prediction, wanted: NDArray[np.float32], clicks: Clicks) -> None:
    """Masks equal, logits within 1e-4; clicked voxels have their own labels."""
    part = wanted[found.region.slices]
    assert not np.isnan(part).any()
    expected = part > 0
    assert 0.02 < expected.mean() < 0.98
    others = np.ones_like(expected)
    for ijk, positive in clicks:
        place = tuple(np.array(ijk[::-1]) - found.region.start_kji)
        assert (found.logits_kji[place] > 0) == positive
        others[place] = False
    assert np.array_equal((found.logits_kji > 0)[others], expected[others])
    assert np.allclose(found.logits_kji[others], part[others], atol=1e-4)


def test_the_masks_of_clicks_are_those_of_the_authors_steps(
    model: Segmenter, volume: Volume
) -> None:
    cells = volume.array_kji.transpose()
    first = (20, 17, 21)
    start = cube_start(first, [n + 1 for n in first])
    image = authors_cube(cells, start)
    clicks: list[tuple[tuple[int, int, int], bool]] = [(first, True)]
    network = random_network()
    for number in range(3):
        wanted = on_volume(authors_logits(network, image, clicks, start), start, GEOMETRY)
        found = predicted(model, volume, [click(ijk, on) for ijk, on in clicks])
        check_equal(found, wanted, clicks)
        # The next click is on what is wrong, or it would change nothing.
        positive = number == 0
        wrong = np.argwhere((wanted <= 0) == positive)[:, ::-1]
        near = wrong[np.abs(wrong - first).max(axis=1) < 6]
        clicks.append((tuple(near[len(near) // 2].tolist()), positive))


def test_a_box_is_a_click_in_its_middle(model: Segmenter, volume: Volume) -> None:
    box = Box.from_ijk(GEOMETRY, (12, 10, 12), (37, 31, 31))
    start = cube_start((12, 10, 12), (37, 31, 31))
    image = authors_cube(volume.array_kji.transpose(), start)
    middle = (24, 20, 21)
    wanted = on_volume(
        authors_logits(random_network(), image, [(middle, True)], start), start, GEOMETRY
    )
    found = predicted(model, volume, [box])
    check_equal(found, wanted, [])
    # The answer reaches a quarter of its width beyond the box.
    assert found.region.start_kji == (7, 4, 8) and found.region.stop_kji == (36, 36, 40)


@pytest.mark.parametrize("codes", ["LPS", "SAL", "PIR"])
def test_a_volume_looks_the_same_however_it_is_stored(
    codes: str, model: Segmenter, volume: Volume
) -> None:
    prompts = [click((20, 17, 21)), click((25, 15, 25))]
    found = predicted(model, volume, prompts)
    turned = predicted(model, volume.reoriented(codes), prompts)
    back = turned.mask.reoriented("RAS")
    assert np.array_equal(back.array_kji, found.mask.array_kji)


def test_voxels_of_another_size_are_resampled_about_the_middle_of_the_volume(
    model: Segmenter,
) -> None:
    # Along each axis the intensity is linear, so that cells have the values of their positions.
    geometry = Geometry.from_spacing((14, 60, 75), (1.0, 1.2, 5.0))
    k, j, i = np.mgrid[:14, :60, :75].astype(np.float32)
    volume = Volume(1 + i + 100 * j + 10000 * k, geometry)
    whole = Region.whole(geometry.shape_kji)
    window = CellWindow.around(Region((6, 29, 37), (7, 30, 38)), geometry, SIDE)
    cells = window.cells_of(volume.array_kji, whole, outside=0)
    # 75, 72 and 70 mm: 50, 48 and 46 cells, whose middle is that of the volume.
    start = np.array([axis.start for axis in window.axes])
    middle = np.array([37, 29.5, 6.5])
    for cell in ((16, 16, 16), (5, 20, 25)):
        offset = np.array(cell) + start - (np.array([50, 48, 46]) - 1) / 2
        position = middle + offset * 1.5 / np.array([1.0, 1.2, 5.0])
        assert np.isclose(cells[cell], 1 + position @ [1, 100, 10000], rtol=1e-5)
    region = window.region()
    back = window.voxels_of(cells, region)
    inner = tuple(slice(3, -3) for _ in range(3))
    assert np.allclose(back[inner], volume.array_kji[region.slices][inner], rtol=1e-4)


def test_a_box_wider_than_the_cube_gets_larger_cells(model: Segmenter, volume: Volume) -> None:
    wide = Volume(volume.array_kji, Geometry.from_spacing(SHAPE, (3, 3, 3)))
    box = Box.from_ijk(wide.geometry, (4, 4, 4), (44, 40, 36))
    found = predicted(model, wide, [box])
    boxed = (slice(4, 36), slice(4, 40), slice(4, 44))
    assert all(
        a.start >= b.start and a.stop <= b.stop
        for a, b in zip(boxed, found.region.slices, strict=True)
    )


def test_a_click_beyond_the_cube_moves_it_and_one_inside_does_not(
    model: Segmenter, volume: Volume
) -> None:
    encoding = model.encode(volume, None, no_progress)
    first = model.predict(encoding, [click((8, 8, 8))], None, no_progress)
    assert first.region.stop_kji == (24, 24, 24)
    inside = [click((8, 8, 8)), click((20, 20, 20), not first.logits_kji[20, 20, 20] > 0)]
    assert model.predict(encoding, inside, first, no_progress).region == first.region
    far = [click((8, 8, 8)), click((40, 36, 36))]
    second = model.predict(encoding, far, first, no_progress)
    assert second.mask.array_kji[36, 36, 40] and second.mask.array_kji[8, 8, 8]


def test_a_click_that_the_answer_agrees_with_changes_nothing(
    model: Segmenter, volume: Volume
) -> None:
    encoding = model.encode(volume, None, no_progress)
    first = model.predict(encoding, [click((20, 17, 21))], None, no_progress)
    agreed = [click((20, 17, 21)), click((20, 17, 21))]
    assert model.predict(encoding, agreed, first, no_progress) is first
    # Of another object, beyond the cube.
    other = [click((20, 17, 21)), click((47, 43, 39), False)]
    assert model.predict(encoding, other, first, no_progress) is first


def test_a_mask_to_start_from_is_the_mask_of_the_step_before(
    model: Segmenter, volume: Volume
) -> None:
    inside = np.zeros(SHAPE, bool)
    inside[12:30, 10:30, 12:36] = True
    start = cube_start((12, 10, 12), (36, 30, 30))
    image = authors_cube(volume.array_kji.transpose(), start)
    given = np.where(inside, 4, -4).astype(np.float32).transpose()
    cube = np.pad(given, SIDE, constant_values=-4)[
        tuple(slice(n + SIDE, n + 2 * SIDE) for n in start)
    ]
    low = torch.nn.functional.avg_pool3d(torch.from_numpy(cube.copy())[None, None], 4)
    network = random_network()
    with torch.no_grad():
        sparse, dense = network.prompt_encoder(points=None, boxes=None, masks=low)
        masks, _ = network.mask_decoder(
            image_embeddings=network.image_encoder(image[None, None]),
            image_pe=network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        wanted = interpolate(masks, size=(SIDE,) * 3, mode="trilinear")[0, 0]
    found = predicted(model, volume, [Mask.from_array(inside, GEOMETRY)])
    check_equal(found, on_volume(wanted, start, GEOMETRY), [])


def test_the_image_is_encoded_once_and_can_be_cancelled_between_blocks(
    model: Segmenter, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(fraction: float, phrase: str) -> None:
        if phrase == "Encoding the image" and 0.4 < fraction < 0.5:
            raise Cancelled("stopped")

    encoding = model.encode(volume, None, no_progress)
    with pytest.raises(Cancelled):
        model.predict(encoding, [click((20, 17, 21))], None, cancel)
    session = Session(model, volume)
    session.add(click((20, 17, 21)))
    first = session.predict().logits_kji
    monkeypatch.setattr(TorchRuntime, "encode", None)
    session.add(click((28, 14, 25), False))
    session.predict()
    session.undo()
    assert np.array_equal(session.predict().logits_kji, first)


def test_ct_is_limited_as_in_training(model: Segmenter, volume: Volume) -> None:
    array = volume.array_kji * 20 - 1000
    array[20, 17, 20] = 3000
    metal = Volume(array, GEOMETRY, modality="CT")
    limited = Volume(array.clip(-1000, 1000), GEOMETRY, modality="CT")
    other = Volume(array, GEOMETRY, modality="MR")
    answers = [
        predicted(model, v, [click((24, 17, 21))]).logits_kji for v in (metal, limited, other)
    ]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


@pytest.mark.parametrize("sizes", [TINY, replace(TINY, side=96)], ids=["8 tokens", "216 tokens"])
def test_attention_without_the_zeros_of_a_window_is_the_packages_own(sizes: NetworkSizes) -> None:
    network = random_network(sizes)
    with torch.no_grad():
        for block in network.image_encoder.blocks:
            for table in (block.attn.rel_pos_d, block.attn.rel_pos_h, block.attn.rel_pos_w):
                table.normal_()
            block.attn.qkv.bias.normal_()
        image = torch.randn((1, 1, *[sizes.side] * 3), generator=torch.Generator().manual_seed(1))
        wanted = network.image_encoder(image)
        skip_padding(network.image_encoder)
        assert [block.window_size for block in network.image_encoder.blocks] == [0, 0]
        found = network.image_encoder(image)
    assert torch.allclose(found, wanted, atol=1e-5, rtol=1e-4)


def test_weights_of_another_network_are_refused_by_name(path: Path, tmp_path: Path) -> None:
    content = torch.load(path, weights_only=False)
    state = content["model_state_dict"]
    bad = tmp_path / "bad.pth"
    for change, message in (
        ({"mask_decoder.extra": torch.zeros(1)}, "mask_decoder.extra is unknown"),
        ({"image_encoder.pos_embed": None}, "none of SAM-Med3D's networks"),
        ({"image_encoder.neck.0.weight": None}, "image_encoder.neck.0.weight is missing"),
        ({"mask_decoder.iou_token.weight": torch.zeros(1, 7)}, r"\(1, 7\) instead of \(1, 48\)"),
        ({"mask_decoder.iou_token.weight": torch.full((1, 48), torch.nan)}, "not finite numbers"),
    ):
        changed = {n: t for n, t in {**state, **change}.items() if t is not None}
        torch.save({"model_state_dict": changed}, bad)
        with pytest.raises(WeightsError, match=message):
            create("sam-med3d", "cpu", weights=bad)


def test_the_published_network_has_the_published_number_of_parameters() -> None:
    network = empty_network(FULL)
    assert sum(parameter.numel() for parameter in network.parameters()) == 100_509_232
    assert len(network.state_dict()) == 324


def test_without_a_prompt_there_is_an_error(model: Segmenter, volume: Volume) -> None:
    with pytest.raises(PromptError, match="no prompt for the object"):
        model.predict(model.encode(volume, None, no_progress), [], None, no_progress)


def test_without_weights_the_way_to_them_and_their_licence_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    said = r"licence: Apache-2.0.*huggingface.co/blueyo0/SAM-Med3D; run 'medsegfm weights import"
    with pytest.raises(WeightsError, match=said):
        create("sam-med3d", "cpu")
