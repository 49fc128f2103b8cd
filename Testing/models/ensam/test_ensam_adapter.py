"""ENSAM as a model: loading, the way to the network's grid and back, marks, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from MedSegFMLib.errors import (
    DeviceError,
    ModelError,
    PromptError,
    VolumeError,
    WeightsError,
)
from MedSegFMLib.models.ensam import model as ensam
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.model import CLICK_LOGIT, EnsamSegmenter
from MedSegFMLib.models.ensam.network.config import BACKGROUND, FOREGROUND, EnsamConfig
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.models.ensam.runtime import Features
from MedSegFMLib.models.ensam.tokens import MOST_TOKENS_PER_SIGN, prompt_tokens
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Box, Point, Scribble, Text
from MedSegFMLib.registry import create
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.session.session import Session
from MedSegFMLib.system import device
from MedSegFMLib.system.device import choose_device, memory_errors
from MedSegFMLib.volumes import intensities, pooling
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.volume import Volume

CELLS = 16


class Echoed(Features):
    def __init__(self, image: Any) -> None:
        super().__init__(image.nbytes)
        self.image = image


class Echo:
    """A runtime whose logits are a function of the image; keeps what the first look was given."""

    def __init__(
        self, answer: Callable[[Any], Any] = lambda image: image, cells: int = CELLS
    ) -> None:
        self.config = EnsamConfig(cells=cells)
        self.answer = answer
        self.spacing: Sequence[float] = ()
        self.previous: Any = None
        self.prompts: Any = None

    def encode(self, image: Any, spacing_kji_mm: Sequence[float], progress: Any) -> Any:
        self.spacing = self.spacing or spacing_kji_mm
        return Echoed(image)

    def decode(self, features: Any, prompts: Any, previous_logits: Any, progress: Any) -> Any:
        if self.prompts is None:
            self.previous, self.prompts = previous_logits, prompts
        return self.answer(features.image)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def ramp_volume(shape_kji: tuple[int, int, int], axis: int = 0) -> Volume:
    """Voxels that grow linearly along one axis, from 0 to 1 but for the percentiles."""
    ramp = np.linspace(0, 1, shape_kji[axis], dtype=np.float32)
    array = np.broadcast_to(np.moveaxis(ramp[:, None, None], 0, axis), shape_kji)
    return Volume(np.array(array), Geometry.from_spacing(shape_kji, (0.7, 0.8, 2.5)))


def noise_volume(shape_kji: tuple[int, int, int]) -> Volume:
    array = np.random.default_rng(0).normal(100, 20, shape_kji).astype(np.float32)
    return Volume(array, Geometry.from_spacing(shape_kji, (0.7, 0.8, 2.5), origin_ras=(5, -3, 40)))


def predict(
    model: EnsamSegmenter, volume: Volume, prompts: Sequence[Any], region: Region | None = None
) -> Prediction:
    return model.predict(model.encode(volume, region, no_progress), prompts, None, no_progress)


def test_importing_the_adapter_needs_numpy_alone() -> None:
    code = (
        "import sys, MedSegFMLib.models.ensam.model as m\n"
        "assert m.CARD.name == 'ensam'\n"
        "heavy = {'torch', 'safetensors', 'scipy', 'SimpleITK'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_random_weights_segment_through_the_real_loading_path(weights: Path) -> None:
    volume = noise_volume((13, 30, 21))
    model = ensam.create("cpu", weights)
    box = Box.from_ijk(volume.geometry, (3, 4, 2), (15, 20, 10))
    region = Region((1, 2, 0), (13, 28, 20))
    encoding = model.encode(volume, region, no_progress)
    first = model.predict(encoding, [box], None, no_progress)
    assert first.region == region and first.logits_kji.dtype == np.float32
    assert first.geometry is volume.geometry and encoding.nbytes > 0
    click = Point.from_ijk(volume.geometry, (8, 9, 5))
    second = model.predict(encoding, [box, click], first, no_progress)
    alone = model.predict(encoding, [box, click], None, no_progress)
    assert np.abs(second.logits_kji - alone.logits_kji).max() > 1e-3
    again = predict(ensam.create("cpu", weights), volume, [box], region)
    assert np.array_equal(again.logits_kji, first.logits_kji)


def test_volume_is_not_written_to(weights: Path) -> None:
    volume = noise_volume((9, 17, 12))
    before = volume.array_kji.copy()
    volume.array_kji.setflags(write=False)
    predict(ensam.create("cpu", weights), volume, [Point.from_ijk(volume.geometry, (3, 4, 5))])
    assert np.array_equal(volume.array_kji, before)


def test_configuration_travels_with_the_weights(tmp_path: Path) -> None:
    config = EnsamConfig("add", "rope", True)
    ensam_weights.save(Ensam(config), tmp_path / "w.safetensors")
    assert ensam_weights.load(tmp_path / "w.safetensors").config == config


def test_pooling_takes_maximum_or_mean_of_blocks_and_of_rests() -> None:
    array = np.arange(5, dtype=np.int16).reshape(1, 1, 5)
    assert pooling.pooled(array, (1, 1, 2), "max").ravel().tolist() == [1, 3, 4]
    assert pooling.pooled(array, (1, 1, 2), "mean").ravel().tolist() == [0.5, 2.5, 4]


def test_percentiles_become_zero_and_one() -> None:
    array = np.arange(1001, dtype=np.int16).reshape(7, 11, 13)
    low, high = intensities.intensity_bounds(array)
    assert (low, high) == pytest.approx((5, 995))
    image = intensities.normalised(array.astype(np.float32), (low, high))
    assert (image.min(), image.max()) == (0, 1)
    assert image[3, 5, 6] == pytest.approx(0.5)


def test_constant_region_is_seen_as_zeros() -> None:
    volume = Volume(np.full((4, 5, 6), 7, np.int16), Geometry.from_spacing((4, 5, 6)))
    assert not predict(EnsamSegmenter(Echo()), volume, []).logits_kji.any()


def test_region_with_nan_is_refused() -> None:
    array = np.ones((4, 5, 6), np.float32)
    array[1, 2, 3] = np.nan
    volume = Volume(array, Geometry.from_spacing((4, 5, 6)))
    with pytest.raises(VolumeError, match="NaN"):
        EnsamSegmenter(Echo()).encode(volume, None, no_progress)


def test_region_of_as_many_voxels_as_cells_comes_back_voxel_by_voxel() -> None:
    volume = noise_volume((18, 20, 19))
    region = Region((1, 2, 3), (17, 18, 19))
    prediction = predict(EnsamSegmenter(Echo()), volume, [], region)
    inside = volume.array_kji[region.slices]
    expected = intensities.normalised(inside, intensities.intensity_bounds(inside))
    assert prediction.offset_kji == (1, 2, 3)
    assert np.array_equal(prediction.logits_kji, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ramp_comes_back_aligned_from_the_cells(axis: int) -> None:
    shape = (6, 24, 43)
    prediction = predict(EnsamSegmenter(Echo()), ramp_volume(shape, axis), [])
    assert prediction.logits_kji.shape == shape
    line = np.moveaxis(prediction.logits_kji, axis, 0)[:, 3, 3]
    # The percentiles are those of the cells, so a straight line may have another slope.
    places = np.arange(shape[axis])
    inner = slice(shape[axis] // CELLS + 1, -(shape[axis] // CELLS + 1))
    slope, start = np.polyfit(places[inner], line[inner], 1)
    np.testing.assert_allclose(line[inner], (slope * places + start)[inner], atol=0.01)
    assert slope * (shape[axis] - 1) / 2 + start == pytest.approx(0.5, abs=1e-3)


def test_network_hears_the_spacing_of_its_cells() -> None:
    network = Echo()
    EnsamSegmenter(network).encode(ramp_volume((8, 32, 16)), None, no_progress)
    assert list(network.spacing) == pytest.approx([2.5 / 2, 0.8 * 2, 0.7])


def test_prompts_reach_the_network_in_cells() -> None:
    network, volume = Echo(), ramp_volume((9, 34, 34))
    box = Box.from_ijk(volume.geometry, (6, 4, 1), (10, 12, 5))
    predict(EnsamSegmenter(network), volume, [box], Region((1, 2, 2), (9, 34, 34)))
    assert network.prompts.kinds.tolist() == [0, 1]
    # Two cells to a voxel along k, half a cell along j and i; both ends are voxel centres.
    expected = [[0.5, 0.75, 1.75], [6.5, 4.25, 3.25]]
    np.testing.assert_allclose(network.prompts.positions_kji, expected)


def test_region_goes_a_quarter_of_the_box_beyond_it_and_two_voxels_at_least() -> None:
    box = Region((0, 0, 0), (4, 20, 7))
    assert ensam.CARD.region_rule.margin(box) == (2, 5, 2)
    assert not ensam.CARD.region_rule.shared


def test_big_anisotropic_region_comes_back_whole() -> None:
    prediction = predict(EnsamSegmenter(Echo()), noise_volume((3, 700, 900)), [])
    assert prediction.logits_kji.shape == (3, 700, 900)


def test_previous_answer_is_laid_where_it_belongs() -> None:
    network, volume = Echo(), ramp_volume((18, 20, 22))
    model = EnsamSegmenter(network)
    encoding = model.encode(volume, Region((1, 2, 3), (17, 18, 19)), no_progress)
    earlier = Prediction(volume.geometry, (0, 0, 4), np.full((3, 4, 3), 2.5, np.float32))
    model.predict(encoding, [], earlier, no_progress)
    expected = np.zeros(volume.geometry.shape_kji, np.float32)
    expected[0:3, 0:4, 4:7] = 2.5
    assert np.array_equal(network.previous, expected[1:17, 2:18, 3:19])


def test_marked_voxels_are_never_contradicted() -> None:
    volume = noise_volume((8, 12, 12))
    geometry = volume.geometry
    stroke = [tuple(geometry.ras_from_ijk((i, 2, 3)).tolist()) for i in (1, 9)]
    prompts = [
        Point.from_ijk(geometry, (5, 6, 4)),
        Point.from_ijk(geometry, (6, 6, 4), positive=False),
        Scribble(tuple(stroke), positive=False),
    ]
    for constant in (-9.0, 9.0):
        network = Echo(lambda image, constant=constant: np.full_like(image, constant))
        logits = predict(EnsamSegmenter(network), volume, prompts).logits_kji
        assert logits[4, 6, 5] == max(constant, CLICK_LOGIT)
        assert logits[4, 6, 6] == min(constant, -CLICK_LOGIT)
        assert (logits[3, 2, 1:10] == min(constant, -CLICK_LOGIT)).all()
        assert logits[7, 11, 11] == constant


def test_prompts_outside_the_region_say_nothing() -> None:
    volume, network = noise_volume((8, 12, 12)), Echo()
    far = Point.from_ijk(volume.geometry, (11, 11, 7))
    near = Point.from_ijk(volume.geometry, (2, 3, 1))
    predict(EnsamSegmenter(network), volume, [far, near], Region((0, 0, 0), (4, 8, 8)))
    # Of 4 x 8 x 8 voxels each has four, two and two cells.
    assert network.prompts.positions_kji.tolist() == [[5.5, 6.5, 4.5]]


def test_region_without_any_prompt_still_gets_an_answer(weights: Path) -> None:
    volume = noise_volume((8, 12, 12))
    far = Point.from_ijk(volume.geometry, (11, 11, 7))
    region = Region((0, 0, 0), (4, 8, 8))
    logits = predict(ensam.create("cpu", weights), volume, [far], region).logits_kji
    assert np.isfinite(logits).all()


def test_prompt_outside_the_volume_is_refused() -> None:
    volume = noise_volume((8, 12, 12))
    with pytest.raises(PromptError, match="outside the volume"):
        predict(EnsamSegmenter(Echo()), volume, [Point((900.0, 0.0, 0.0))])


def test_text_is_refused() -> None:
    with pytest.raises(
        PromptError, match="ENSAM does not support text prompts; it supports box, point"
    ):
        predict(EnsamSegmenter(Echo()), noise_volume((8, 12, 12)), [Text("liver")])


def test_long_stroke_is_thinned_but_clicks_are_kept() -> None:
    geometry = Geometry.from_spacing((4, 4, 200))
    ends = (geometry.ras_from_ijk((0, 0, 0)), geometry.ras_from_ijk((199, 0, 0)))
    stroke = Scribble(tuple(tuple(end.tolist()) for end in ends))
    clicks = [Point.from_ijk(geometry, (i, 3, 2)) for i in (10, 20)]
    tokens = prompt_tokens([clicks[0], stroke, clicks[1]], geometry, Region.whole((4, 4, 200)))
    assert len(tokens.kinds) == MOST_TOKENS_PER_SIGN
    positions = tokens.positions_kji.tolist()
    assert [2, 3, 10] in positions and [2, 3, 20] in positions
    assert [0, 0, 0] in positions and [0, 0, 199] in positions
    assert len(tokens.marks.foreground_kji) == 202


def test_marks_reach_the_network_in_the_order_in_which_they_were_given() -> None:
    geometry = Geometry.from_spacing((9, 9, 9))
    marks = [(True, 1), (False, 2), (True, 3), (False, 4)]
    clicks = [Point.from_ijk(geometry, (place, 0, 0), positive) for positive, place in marks]
    tokens = prompt_tokens(clicks, geometry, Region.whole((9, 9, 9)))
    assert tokens.kinds.tolist() == [FOREGROUND, BACKGROUND, FOREGROUND, BACKGROUND]
    assert tokens.positions_kji[:, 2].tolist() == [1, 2, 3, 4]


def test_latest_of_very_many_clicks_are_kept() -> None:
    geometry = Geometry.from_spacing((4, 4, 200))
    clicks = [Point.from_ijk(geometry, (i, 0, 0)) for i in range(40)]
    tokens = prompt_tokens(clicks, geometry, Region.whole((4, 4, 200)))
    assert tokens.positions_kji[:, 2].tolist() == list(range(8, 40))


def test_cancelling_stops_the_work(weights: Path) -> None:
    def stop(fraction: float, phrase: str) -> None:
        if fraction > 0.05:
            raise KeyboardInterrupt

    model, volume = ensam.create("cpu", weights), noise_volume((8, 12, 12))
    with pytest.raises(KeyboardInterrupt):
        model.encode(volume, None, stop)
    encoding = model.encode(volume, None, no_progress)
    with pytest.raises(KeyboardInterrupt):
        model.predict(encoding, [Point.from_ijk(volume.geometry, (5, 5, 5))], None, stop)


def test_encoding_of_another_model_is_refused() -> None:
    from MedSegFMLib.segmenter import Encoding

    volume = noise_volume((8, 12, 12))
    other = Encoding(volume.geometry, Region.whole((8, 12, 12)), 0)
    with pytest.raises(TypeError, match="Encoding"):
        EnsamSegmenter(Echo()).predict(other, [], None, no_progress)


def test_missing_weights_name_the_ways_out(
    empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("MedSegFMLib.weights.store._PACKAGE", empty_store)
    with pytest.raises(
        WeightsError, match=r"weights import ensam FILE.*--weights FILE.*randomwalk"
    ):
        ensam.create("cpu")


def test_imported_weights_are_found_and_checked(empty_store: Path, weights: Path) -> None:
    from MedSegFMLib.weights import installing

    path = installing.import_file("ensam", weights)
    assert ensam.create("cpu").card is ensam.CARD
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="has the SHA-256"):
        ensam.create("cpu")


def test_absent_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors does not exist"):
        ensam.create("cpu", tmp_path / "none.safetensors")


def test_truncated_weights_are_refused(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="truncated"):
        ensam.create("cpu", path)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are no weights, but a text that is long enough.")
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        ensam.create("cpu", path)


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, str(tmp_path / "w.safetensors"))
    with pytest.raises(WeightsError, match="holds another network"):
        ensam.create("cpu", tmp_path / "w.safetensors")


def test_mismatching_tensors_are_named(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = dict(Ensam().state_dict())
    tensors["extra"] = torch.zeros(2)
    del tensors["decoder.head.bias"]
    tensors["prompt_vectors"] = torch.zeros(4, 64)
    metadata = {"format": "medsegfm.ensam", "version": "1", "config": EnsamConfig().to_json()}
    path = tmp_path / "w.safetensors"
    save_file(tensors, str(path), metadata)
    with pytest.raises(WeightsError) as caught:
        ensam.create("cpu", path)
    for words in (
        "decoder.head.bias is missing",
        "extra is unknown",
        "prompt_vectors is (4, 64) instead of (4, 128)",
    ):
        assert words in str(caught.value)


def test_unusable_configuration_in_the_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    values = {**json.loads(EnsamConfig().to_json()), "skip": "sum"}
    metadata = {"format": "medsegfm.ensam", "version": "1", "config": json.dumps(values)}
    save_file({"w": torch.zeros(1)}, str(tmp_path / "w.safetensors"), metadata)
    with pytest.raises(WeightsError, match="skip is 'sum'"):
        ensam.create("cpu", tmp_path / "w.safetensors")


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    def found(name: str) -> Any:
        return None if name in packages else find_spec(name)

    for module in (ensam, device):
        monkeypatch.setattr(module, "find_spec", found)


def test_gpu_without_torch_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    without(monkeypatch, "torch")
    with pytest.raises(DeviceError, match=r"'cuda' needs torch.*pip install"):
        create("ensam", "cuda", weights=weights)
    with pytest.raises(DeviceError, match="'tpu' does not exist"):
        create("ensam", "tpu", weights=weights)


def test_cpu_with_nothing_that_runs_networks_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    without(monkeypatch, "torch", "openvino", "onnxruntime")
    sentence = r"need torch.*openvino and onnxruntime are not installed.*randomwalk"
    with pytest.raises(ModelError, match=sentence):
        create("ensam", "cpu", weights=weights)


def test_configuration_without_a_graph_needs_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    ensam_weights.save(Ensam(EnsamConfig(cells=16)), path)
    volume = noise_volume((8, 12, 12))
    assert predict(create("ensam", "cpu", weights=path), volume, []).logits_kji.any()
    without(monkeypatch, "torch")
    with pytest.raises(ModelError, match="no graph of their configuration"):
        create("ensam", "cpu", weights=path)


@pytest.mark.parametrize("missing", [("openvino",), ("openvino", "onnxruntime")])
def test_without_openvino_another_library_gives_the_same_mask(
    monkeypatch: pytest.MonkeyPatch, weights: Path, missing: tuple[str, ...]
) -> None:
    volume = noise_volume((13, 30, 21))
    box = Box.from_ijk(volume.geometry, (3, 4, 2), (15, 20, 10))
    first = predict(create("ensam", "cpu", weights=weights), volume, [box])
    without(monkeypatch, *missing)
    second = predict(create("ensam", "cpu", weights=weights), volume, [box])
    np.testing.assert_allclose(second.logits_kji, first.logits_kji, atol=1e-3)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:-1", ""])
def test_device_that_is_not_there_is_refused(device: str, weights: Path) -> None:
    with pytest.raises(DeviceError, match="does not exist; this computer has cpu"):
        ensam.create(device, weights)


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(d)) for d in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(choose_device("auto")) == "cpu"
    with pytest.raises(DeviceError):
        choose_device("cuda")


def test_auto_takes_the_cpu_without_loading_torch_where_no_driver_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "may_have_gpu", lambda: False)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(device, "find_spec", lambda name: name)
    assert device.is_cpu("auto")


def test_full_gpu_is_a_device_error_with_advice() -> None:
    with (
        pytest.raises(
            DeviceError, match=r"not enough memory for the model ensam; draw a smaller box"
        ),
        memory_errors("ensam"),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")


def test_full_computer_is_a_device_error_with_advice() -> None:
    for full in (MemoryError(), RuntimeError("std::bad_alloc")):
        with (
            pytest.raises(DeviceError, match="computer has not enough memory for the model ensam"),
            memory_errors("ensam"),
        ):
            raise full
    with pytest.raises(RuntimeError, match="shape"), memory_errors("ensam"):
        raise RuntimeError("wrong shape")


def test_large_region_is_seen_once_more_in_windows() -> None:
    # Two windows along i, in which a ramp of the whole is found again at finer cells.
    volume = ramp_volume((CELLS, CELLS, 6 * CELLS), axis=2)
    seen: list[tuple[float, float]] = []

    def answer(image: Any) -> Any:
        seen.append((float(image.min()), float(image.max())))
        return image

    # A click in the middle is in both.
    click = Point.from_ijk(volume.geometry, (48, 8, 8), True)
    prompts = [Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)), click]
    prediction = predict(EnsamSegmenter(Echo(answer)), volume, prompts)
    assert len(seen) == 3
    whole, (first, second) = seen[0], seen[-2:]
    # One scale of intensities for all, so that the windows look like parts of the whole.
    assert (
        first[0] == whole[0] and second[1] == whole[1] and first[1] == pytest.approx(0.6, abs=0.02)
    )
    assert np.abs(np.diff(prediction.logits_kji[4, 4])).max() < 0.05


def test_window_far_from_the_object_is_not_decoded() -> None:
    volume = ramp_volume((CELLS, CELLS, 6 * CELLS), axis=2)
    calls = []

    def answer(image: Any) -> Any:
        calls.append(image)
        return image * 40 - 38

    # The click is in both windows.
    click = Point.from_ijk(volume.geometry, (48, 8, 8), False)
    prompts = [Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)), click]
    predict(EnsamSegmenter(Echo(answer)), volume, prompts)
    assert len(calls) == 2


def test_window_is_processed_once_a_click_is_in_it_and_keeps_its_answer() -> None:
    volume = noise_volume((CELLS, CELLS, 6 * CELLS))
    given: list[list[int]] = []
    encoded = []

    class Listening(Echo):
        def encode(self, image: Any, spacing_kji_mm: Sequence[float], progress: Any) -> Any:
            encoded.append(image)
            return super().encode(image, spacing_kji_mm, progress)

        def decode(self, features: Any, prompts: Any, previous: Any, progress: Any) -> Any:
            given.append(prompts.kinds.tolist())
            return features.image + len(given)

    model = EnsamSegmenter(Listening())
    encoding = model.encode(volume, None, no_progress)
    prompts = [
        Box.from_ijk(volume.geometry, (4, 4, 4), (90, 12, 12)),
        Point.from_ijk(volume.geometry, (10, 8, 8), False),
        Point.from_ijk(volume.geometry, (80, 8, 8), False),
    ]
    steps: list[Prediction | None] = [None]
    for n in range(3):
        steps.append(model.predict(encoding, prompts[: n + 1], steps[-1], no_progress))
    # Each time the whole, and the window with the new click, which has no other.
    assert given == [[0, 1], [0, 1, 3], [0, 1, 3], [0, 1, 3, 3], [0, 1, 3]]
    assert len(encoded) == 3
    # The answer to the whole is 2 higher, that to the window the same: this is their mean.
    rise = (steps[3].logits_kji - steps[2].logits_kji)[..., :30]
    clicked = np.zeros(rise.shape, bool)
    clicked[8, 8, 10] = True
    np.testing.assert_allclose(rise[~clicked], 1, atol=1e-5)
    # Another region is looked at anew.
    given.clear()
    elsewhere = model.encode(volume, Region((0, 0, 1), (CELLS, CELLS, 6 * CELLS)), no_progress)
    model.predict(elsewhere, prompts, steps[3], no_progress)
    assert len(given) == 3


def test_without_a_box_all_windows_are_processed_at_each_click() -> None:
    volume = noise_volume((CELLS, CELLS, 6 * CELLS))
    calls = []

    def answer(image: Any) -> Any:
        calls.append(image)
        return image

    model = EnsamSegmenter(Echo(answer))
    encoding = model.encode(volume, None, no_progress)
    clicks = [Point.from_ijk(volume.geometry, (n, 8, 8), False) for n in (10, 20)]
    before = model.predict(encoding, clicks[:1], None, no_progress)
    model.predict(encoding, clicks, before, no_progress)
    assert len(calls) == 6


@pytest.mark.parametrize(("ijk", "positive"), [((8, 8, 11), True), ((8, 8, 2), False)])
def test_click_on_what_is_right_already_changes_nothing(
    ijk: tuple[int, int, int], positive: bool
) -> None:
    volume = ramp_volume((CELLS, CELLS, CELLS))
    model = EnsamSegmenter(Echo(lambda image: image * 2 - 1))
    box = Box.from_ijk(volume.geometry, (2, 2, 2), (14, 14, 14))
    encoding = model.encode(volume, None, no_progress)
    before = model.predict(encoding, [box], None, no_progress)
    click = Point.from_ijk(volume.geometry, ijk, positive)
    assert model.predict(encoding, [box, click], before, no_progress) is before
    contrary = Point.from_ijk(volume.geometry, ijk, not positive)
    after = model.predict(encoding, [box, contrary], before, no_progress)
    assert (after.logits_kji[ijk[::-1]] > 0) == (not positive)


def test_mask_to_start_from_is_no_answer_that_a_click_may_agree_with() -> None:
    volume = ramp_volume((CELLS, CELLS, CELLS))
    model = EnsamSegmenter(Echo(lambda image: image * 2 - 1))
    encoding = model.encode(volume, None, no_progress)
    logits = np.full((CELLS, CELLS, CELLS), -4, np.float32)
    logits[:, :, :4] = 4
    mask = Prediction(volume.geometry, (0, 0, 0), logits)
    click = Point.from_ijk(volume.geometry, (1, 8, 8), True)
    found = model.predict(encoding, [click], mask, no_progress).logits_kji > 0
    assert found[12, 4, 12] and found[8, 8, 1] and not found[4, 4, 2]


def test_click_on_a_neighbour_leaves_an_object_as_it_is(weights: Path) -> None:
    volume = noise_volume((24, 26, 28))
    session = Session(create("ensam", "cpu", weights=weights), volume)
    first = session.add_object()
    session.add(Box.from_ijk(volume.geometry, (3, 3, 3), (12, 12, 12)), first)
    before = session.predict_all()[first].mask.array_kji
    outside = np.argwhere(before == 0)[-1].tolist()
    second = session.add_object()
    session.add(Point.from_ijk(volume.geometry, outside[::-1], True), second)
    np.testing.assert_array_equal(session.predict_all()[first].mask.array_kji, before)
