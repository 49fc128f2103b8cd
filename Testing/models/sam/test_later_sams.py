"""SAM 2.1 and SAM 3 as the model `sam`: masks of transformers' models, weights read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from later_sam_checkpoints import (
    SAM2_SIDE,
    SAM3_SIDE,
    random_sam2,
    random_sam3,
    write_authors,
    write_folder,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from sample_volumes import make_blob
from torch.nn.functional import interpolate

from MedSegFMLib import Box, Geometry, Point, Session, create
from MedSegFMLib.errors import ModelError, WeightsError
from MedSegFMLib.models.sam import loading, network_files
from MedSegFMLib.models.sam.layouts.transformers_files import CONFIG, IN_FOLDER
from MedSegFMLib.models.sam.network.image_sam import with_stable_mask
from MedSegFMLib.models.sam.prepared import make_preprocessor
from MedSegFMLib.models.sam.runtime import SlicePrompt
from MedSegFMLib.models.sam.sam2.config_file import PUBLISHED, fitting
from MedSegFMLib.progress import no_progress

pytestmark = pytest.mark.usefixtures("one_thread")

SIDES = {"sam2": SAM2_SIDE, "sam3": SAM3_SIDE}


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    return {"sam2": random_sam2(), "sam3": random_sam3()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, networks: dict[str, Any]) -> dict[str, Path]:
    """The folder of transformers and the authors' file of each."""
    found = {}
    for name, network in networks.items():
        folder = tmp_path_factory.mktemp(name)
        found[name] = write_folder(folder / "folder", network)
        found[f"{name} authors"] = write_authors(folder / "authors" / f"{name}.pt", network)
    return found


def as_authors_run_it(network: Any) -> Any:
    """SAM 3's authors leave the coarsest level of the pyramid out before they use the features.

    transformers' Sam3TrackerModel adds the embedding without memory to that level, so that it is
    lost; with three levels it is added as the authors add it.
    """
    forward = network.vision_encoder.forward

    def without_coarsest(*values: Any, **named: Any) -> Any:
        output = forward(*values, **named)
        output.fpn_hidden_states = output.fpn_hidden_states[:3]
        output.fpn_position_encoding = output.fpn_position_encoding[:3]
        return output

    network.vision_encoder.forward = without_coarsest
    return network


def expected(name: str, pixels: torch.Tensor, prompt: SlicePrompt) -> torch.Tensor:
    """The low-resolution logits of transformers' own model."""
    network = random_sam2() if name == "sam2" else as_authors_run_it(random_sam3())
    given: dict[str, Any] = {}
    if prompt.box is not None:
        given["input_boxes"] = torch.tensor([[prompt.box]])
    if prompt.points:
        given["input_points"] = torch.tensor([[[point[:2] for point in prompt.points]]])
        given["input_labels"] = torch.tensor([[[int(point[2]) for point in prompt.points]]])
    with torch.inference_mode():
        output = network(pixel_values=pixels, multimask_output=prompt.is_ambiguous, **given)
    masks, qualities = output.pred_masks[0, 0], output.iou_scores[0, 0]
    found: torch.Tensor = masks[qualities.argmax()]
    return found


PROMPTS = {
    "a box": SlicePrompt((10.0, 12.0, 50.0, 40.0)),
    "a click": SlicePrompt(None, ((30.0, 21.0, True),)),
    "clicks": SlicePrompt(None, ((30.0, 21.0, True), (8.0, 50.0, False))),
    "a box and clicks": SlicePrompt((10.0, 12.0, 50.0, 40.0), ((30.0, 21.0, True),)),
}


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("layout", ["", " authors"])
def test_masks_are_those_of_transformers(
    name: str, prompt: str, layout: str, files: dict[str, Path]
) -> None:
    side = SIDES[name]
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    runtime = loading.load(files[name + layout], "cpu")
    features = runtime.encode(pixels.numpy(), no_progress)
    low = runtime.decode(features, [PROMPTS[prompt]] * 2, (side, side))
    wanted = [expected(name, image[None], PROMPTS[prompt]) for image in pixels]
    for found, right in zip(low, wanted, strict=True):
        assert 0.02 < float((right > 0).float().mean()) < 0.98
        np.testing.assert_allclose(found, right.numpy(), atol=1e-4, rtol=1e-4)


def test_the_embedding_without_memory_is_used_as_sam3s_authors_use_it() -> None:
    """The judge can judge: transformers with four levels answers otherwise, with three the same."""
    pixels = torch.randn(1, 3, SAM3_SIDE, SAM3_SIDE, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[[10.0, 12.0, 50.0, 40.0]]])
    answers = []
    for network in (random_sam3(), as_authors_run_it(random_sam3())):
        with torch.inference_mode():
            answers.append(network(pixel_values=pixels, input_boxes=boxes).pred_masks)
    assert float((answers[0] - answers[1]).abs().max()) > 0.1


@pytest.mark.parametrize("name", SIDES)
def test_a_slice_is_prepared_and_its_mask_brought_back_as_in_transformers(
    name: str, files: dict[str, Path]
) -> None:
    """Whole slices at the published size, from grey levels to a mask of the slice's pixels."""
    runtime = loading.load(files[name], "cpu")
    preprocessor = make_preprocessor(name, "1024", runtime.config)
    levels = np.random.default_rng(0).integers(0, 255, (1, 40, 50)).astype(np.uint8)
    levels[:, 8:30, 10:40] //= 4
    plan = preprocessor.resize_plan((40, 50))
    images = preprocessor.images(levels, plan)
    side = SIDES[name]
    shown = (
        Image.fromarray(levels[0]).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    )
    mean, deviation = (
        ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if name == "sam2" else ([0.5] * 3, [0.5] * 3)
    )
    pixels = (torch.tensor(np.array(shown)) / 255 - torch.tensor(mean)) / torch.tensor(deviation)
    pixels = pixels.permute(2, 0, 1)[None]
    np.testing.assert_allclose(images, pixels.numpy(), atol=1e-5)
    prompt = SlicePrompt((9.0, 8.0, 50.0, 40.0))
    features = runtime.encode(images, no_progress)
    (low,) = runtime.decode(features, [prompt], plan.input)
    whole = preprocessor.resize_logits(torch.from_numpy(low)[None], plan)[0]
    right = expected(name, pixels, prompt)
    right = interpolate(right[None, None], (40, 50), mode="bilinear", align_corners=False)[0, 0]
    assert float(((whole > 0) == (right > 0)).float().mean()) > 0.999


@pytest.mark.parametrize("name", SIDES)
def test_regions_of_any_size_are_encoded_and_decoded(name: str, files: dict[str, Path]) -> None:
    runtime = loading.load(files[name], "cpu")
    preprocessor = make_preprocessor(name, "native", runtime.config)
    plan = preprocessor.resize_plan((33, 50))
    multiple = runtime.config.multiple
    assert all(side % multiple == 0 for side in plan.input) and plan.content == (33, 50)
    levels = np.random.default_rng(0).integers(0, 255, (2, 33, 50)).astype(np.uint8)
    images = preprocessor.images(levels, plan)
    assert not images[:, :, 33:].any() and not images[:, :, :, 50:].any()
    features = runtime.encode(images, no_progress)
    rows, columns = (side // runtime.config.patch for side in plan.input)
    assert features[0].shape == (runtime.config.channels, rows, columns)
    low = runtime.decode(features, [SlicePrompt((3.0, 2.0, 40.0, 30.0))] * 2, plan.input)
    assert low[0].shape == (4 * rows, 4 * columns)
    whole = preprocessor.resize_logits(torch.from_numpy(np.stack(low)), plan)
    assert whole.shape == (2, 33, 50) and bool(torch.isfinite(whole).all())


@pytest.mark.parametrize("name", SIDES)
def test_a_volume_is_segmented_in_three_planes(name: str, files: dict[str, Path]) -> None:
    volume, _ = make_blob(Geometry.from_spacing((14, 22, 24), (0.9, 0.9, 1.5)))
    masks = []
    for size in ("native", "1024"):
        model = create("sam", "cpu", weights=files[name], size=size)
        session = Session(model, volume)
        session.add(Box.from_ijk(volume.geometry, (4, 3, 1), (20, 18, 11)))
        session.add(Point.from_ijk(volume.geometry, (11, 10, 6)))
        prediction = session.predict()
        assert set(prediction.planes) == {"axial", "coronal", "sagittal"}
        masks.append(prediction.mask.array_kji)
    assert all(mask[6, 10, 11] for mask in masks)


@pytest.mark.parametrize("name", SIDES)
def test_a_missing_an_unknown_and_a_misshapen_tensor_are_named(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    state = load_file(files[name] / IN_FOLDER)
    (tmp_path / CONFIG).write_bytes((files[name] / CONFIG).read_bytes())
    del state["mask_decoder.iou_prediction_head.proj_in.bias"]
    state["adapter.weight"] = torch.ones(2)
    state["no_memory_embedding"] = torch.ones(1, 1, 3)
    save_file(state, tmp_path / IN_FOLDER)
    with pytest.raises(WeightsError) as caught:
        network_files.load(tmp_path)
    said = str(caught.value)
    assert "mask_decoder.iou_prediction_head.proj_in.bias is missing" in said
    assert "adapter.weight is unknown" in said
    assert "no_memory_embedding is (1, 1, 3)" in said


@pytest.mark.parametrize("name", SIDES)
def test_the_authors_layout_is_read_strictly(
    name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    held = torch.load(files[f"{name} authors"], weights_only=True)["model"]
    (tmp_path / CONFIG).write_bytes(files[f"{name} authors"].with_name(CONFIG).read_bytes())
    lost = next(n for n in held if n.endswith("sam_prompt_encoder.no_mask_embed.weight"))
    del held[lost]
    held["image_encoder.extra" if name == "sam2" else "extra"] = torch.ones(2)
    torch.save(held, tmp_path / "changed.pt")
    with pytest.raises(WeightsError, match=f"{lost} is missing.*extra is unknown"):
        network_files.load(tmp_path / "changed.pt")


def test_a_detector_alone_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    held = torch.load(files["sam3 authors"], weights_only=True)["model"]
    own = {name: tensor for name, tensor in held.items() if name.startswith("detector.")}
    torch.save(own, tmp_path / "medical.pt")
    with pytest.raises(WeightsError, match="contains SAM 3's detector alone"):
        network_files.load(tmp_path / "medical.pt")


def test_a_configuration_of_another_network_beside_a_folders_weights_is_refused(
    files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / IN_FOLDER).write_bytes((files["sam2"] / IN_FOLDER).read_bytes())
    (tmp_path / CONFIG).write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"is of the network bert, not of sam2"):
        network_files.load(tmp_path)
    (tmp_path / CONFIG).write_text(
        json.dumps({"model_type": "sam2", "mask_decoder_config": {"mlp_dim": -1}}), encoding="utf-8"
    )
    with pytest.raises(WeightsError, match="mlp_dim of mask_decoder_config is -1"):
        network_files.load(tmp_path)


def test_a_network_that_nobody_published_needs_its_configuration(
    files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "sam2.pt").write_bytes(files["sam2 authors"].read_bytes())
    with pytest.raises(WeightsError, match=r"none of SAM 2's networks \(sam2_hiera_tiny, "):
        network_files.load(tmp_path / "sam2.pt")


@pytest.mark.parametrize("hiera", PUBLISHED, ids=lambda hiera: hiera.name)
def test_published_encoders_are_known_by_their_tensors(hiera: Any) -> None:
    """Beside the memory the numbers of parameters add up to those of the authors' table."""
    from transformers import Sam2Config, Sam2Model

    with torch.device("meta"):
        network = Sam2Model(Sam2Config(**hiera.settings(1024)))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert fitting(shapes) is hiera
    vision = sum(p.numel() for p in network.vision_encoder.parameters())
    # Of SAM 2.1 tiny: all parameters without those of its vision encoder.
    others = 38_962_498 - 27_219_136
    published = {"tiny": 38.9, "small": 46, "base_plus": 80.8, "large": 224.4}
    wanted = published[hiera.name.removeprefix("sam2_hiera_")]
    assert (vision + others) / 1e6 == pytest.approx(wanted, abs=0.1)


def test_medsams_preprocessing_is_for_sam_alone(files: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match=r"of medsam is not for the network sam2; choose sam2"):
        create("medsam", "cpu", weights=files["sam2"])


def test_an_unstable_mask_gives_way_to_the_best_of_the_others() -> None:
    masks = torch.zeros(3, 4, 2, 2)
    # Stable; half of it within the margin; nothing above it at all.
    masks[0, 0] = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    masks[1, 0] = torch.tensor([[1.0, 0.01], [-1.0, -1.0]])
    masks[2, 0] = -1.0
    masks[:, 2], masks[:, 3] = 5.0, 7.0
    qualities = torch.tensor([[0.9, 0.1, 0.3, 0.2]]).expand(3, -1)
    chosen = with_stable_mask(masks, qualities, 0.05, 0.98)
    assert torch.equal(chosen[0, 0], masks[0, 0])
    assert torch.equal(chosen[1, 0], masks[1, 2])
    assert torch.equal(chosen[2, 0], masks[2, 0])
    assert torch.equal(chosen[:, 1:], masks[:, 1:])
