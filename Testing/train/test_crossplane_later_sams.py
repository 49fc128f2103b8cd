"""The recipe `crossplane` on SAM 2.1's and SAM 3's encoders: trained, stored, loaded, the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sample_volumes import make_blob

pytest.importorskip("peft")
pytest.importorskip("transformers")

from later_sam_checkpoints import random_sam2, random_sam3, write_folder
from peft import PeftModel

from MedSegFMLib import Box, Geometry, Session, create
from MedSegFMLib.errors import ModelError, TrainingError, WeightsError
from MedSegFMLib.models.sam import lora_file, network_files
from MedSegFMLib.models.sam.create import REGION_RULE
from MedSegFMLib.models.sam.network.crossplane import CrossPlane
from MedSegFMLib.models.sam.network.lora import LoraChoice, with_adapters
from MedSegFMLib.models.sam.prepared import make_preprocessor
from MedSegFMLib.models.sam.preprocessing import slice_logits
from MedSegFMLib.models.sam.torch_runtime import TorchSamRuntime
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.agreement import Agreement
from MedSegFMLib.train.labelled_volumes import LabelledVolume
from MedSegFMLib.train.recipes.crossplane.gradient_cache import cached_backward, plain_backward
from MedSegFMLib.train.recipes.crossplane.loss import crossplane_loss
from MedSegFMLib.train.recipes.crossplane.network import ViewNetwork
from MedSegFMLib.train.recipes.crossplane.samples import Sample, Samples, trained_objects
from MedSegFMLib.train.recipes.crossplane.settings import CrossplaneSettings
from MedSegFMLib.train.run import train

CPU = torch.device("cpu")
NETWORKS = {"sam2": random_sam2, "sam3": random_sam3}
GEOMETRY = Geometry.from_spacing((18, 22, 26), (0.8, 1.0, 1.7))
# By family, layers that each choice of targets adapts in the last block of the tiny networks.
TARGETS = {
    ("sam2", "qkv"): {"vision_encoder.backbone.blocks.4.attn.qkv"},
    ("sam2", "all"): {
        f"vision_encoder.backbone.blocks.4.{layer}"
        for layer in ("attn.qkv", "attn.proj", "mlp.proj_in", "mlp.proj_out")
    },
    ("sam3", "qkv"): {f"vision_encoder.backbone.layers.2.attention.{n}_proj" for n in "qkv"},
    ("sam3", "all"): {
        *(f"vision_encoder.backbone.layers.2.attention.{n}_proj" for n in "qkvo"),
        *(f"vision_encoder.backbone.layers.2.mlp.fc{n}" for n in (1, 2)),
    },
}


@pytest.fixture(params=NETWORKS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def base(family: str, tmp_path: Path) -> Path:
    return write_folder(tmp_path / family, NETWORKS[family]())


def settings(tmp_path: Path, base: Path, **changes: Any) -> CrossplaneSettings:
    values: dict[str, Any] = {
        "synthetic": 1,
        "side": 24,
        "steps": 3,
        "accumulate": 1,
        "rate": 1e-2,
        "warmup": 0,
        "validation_objects": 1,
        "validate_samples": 100,
        "threads": 1,
        "device": "cpu",
        "blocks": 1,
    }
    return CrossplaneSettings(out=tmp_path / "run", base=str(base), **{**values, **changes})


def sample_of(number: int) -> Sample:
    volume, mask = make_blob(GEOMETRY)
    labelled = LabelledVolume("ball", "CT", volume, mask.astype(np.int16), {1: "ball"})
    return Samples(trained_objects([labelled], REGION_RULE), 0.0, seed=0)[number]


@pytest.mark.parametrize("targets", ["qkv", "all"])
def test_adapters_lie_in_the_layers_that_the_family_calls_by_that_name(
    family: str, targets: Any, base: Path
) -> None:
    network = network_files.load(base)
    choice = LoraChoice(2, 4.0, 0.0, targets, 1, "frozen")
    model = with_adapters(network, choice.peft_settings(network.config))
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    adapted = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in names}
    assert adapted == TARGETS[family, targets]


def test_a_trained_adapter_is_loaded_merged_and_segments(base: Path, tmp_path: Path) -> None:
    folder = train("crossplane", settings(tmp_path, base)).path
    facts = lora_file.read_facts(folder)
    plain, merged = network_files.load(base), lora_file.load(folder, base)
    changed = {
        name
        for name, tensor in merged.state_dict().items()
        if not torch.equal(tensor, plain.state_dict()[name])
    }
    assert changed and facts.prepared == plain.config.family
    last = plain.config.depth - 1
    assert all(f".{last}." in name or "mask_decoder" in name for name in changed)
    model = create("crossplane", "cpu", weights=folder, base=base)
    volume, _ = make_blob(GEOMETRY)
    session = Session(model, volume)
    session.add(Box.from_ijk(GEOMETRY, (5, 4, 3), (20, 18, 15)))
    assert set(session.predict().planes) == {"axial", "coronal", "sagittal"}


def test_transformers_own_model_takes_the_adapter_through_peft(
    family: str, base: Path, tmp_path: Path
) -> None:
    folder = train("crossplane", settings(tmp_path, base)).path
    theirs = NETWORKS[family]()
    side = network_files.load(base).config.side
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    before = [level.clone() for level in theirs.vision_encoder(pixels).fpn_hidden_states]
    with torch.inference_mode():
        adapted = PeftModel.from_pretrained(theirs, str(folder)).eval()
        found = adapted.base_model.model.vision_encoder(pixels).fpn_hidden_states
        mine = lora_file.load(folder, base)
        encoder = mine.encoder
        levels = encoder._levels(mine.vision_encoder, encoder.tokens(pixels, 0), 0, False)
    for one, other in zip(found[:3], levels, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    # The last block of SAM 2 does not reach the finest level.
    assert not torch.allclose(found[2], before[2], atol=1e-4)


@pytest.mark.parametrize("blocks", [0, 2])
def test_gradients_view_by_view_are_those_of_one_graph(base: Path, blocks: int) -> None:
    """With a prefix of frozen blocks too, which ends within a stage of SAM 2's encoder."""
    gradients = []
    for cached in (False, True):
        network = network_files.load(base)
        choice = LoraChoice(4, 8.0, 0.2, "all", blocks, "lora")
        torch.manual_seed(1)
        model = with_adapters(network, choice.peft_settings(network.config))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        first = choice.first_block(network.config)
        plane = CrossPlane(network, first, recomputed=cached)
        preprocessor = make_preprocessor(network.config.family, "native", network.config)
        views = ViewNetwork(plane, preprocessor, CPU, False, (1 << 20) * bool(first))
        sample = sample_of(0)
        model.train()

        def loss(answers: list[torch.Tensor], sample: Sample = sample) -> dict[str, torch.Tensor]:
            return crossplane_loss(answers, sample.views, 0.7, Agreement())

        torch.manual_seed(3)
        if cached:
            cached_backward(views.answering(sample), loss, 1.0, CPU)
        else:
            plain_backward(views.answering(sample), loss, 1.0)
        named = model.named_parameters()
        gradients.append({n: p.grad for n, p in named if p.grad is not None})
    one, other = gradients
    assert one.keys() == other.keys() and len(one) > 10
    largest = max(float(gradient.abs().max()) for gradient in one.values())
    assert max(float((one[n] - other[n]).abs().max()) for n in one) < 1e-4 * largest


def test_what_is_trained_is_what_the_model_answers(base: Path) -> None:
    """After a box, a box and a click, and a click alone, of which three masks may be meant."""
    network = network_files.load(base)
    preprocessor = make_preprocessor(network.config.family, "native", network.config)
    views = ViewNetwork(CrossPlane(network, 2, False), preprocessor, CPU, False, 0)
    runtime = TorchSamRuntime(network, CPU)
    kinds = set()
    for number in range(12):
        sample = sample_of(number)
        with torch.inference_mode():
            answers = [answer() for answer in views.answering(sample)]
        for view, answer in zip(sample.views, answers, strict=True):
            plan = preprocessor.resize_plan((view.slice_image.shape[0], view.slice_image.shape[1]))
            images = preprocessor.images(view.slice_image[None], plan)
            features = runtime.encode(images, no_progress)
            (low,) = runtime.decode(features, [plan.prompt(view.prompt)], plan.input)
            expected = slice_logits(preprocessor, low, plan)
            np.testing.assert_allclose(answer.numpy(), expected, atol=1e-3)
            kinds.add((view.prompt.box is not None, len(view.prompt.points)))
    assert len(kinds) == 3


def test_a_base_in_sixteen_bits_is_trained_on(base: Path, tmp_path: Path) -> None:
    folder = train("crossplane", settings(tmp_path, base, precision="bf16", blocks=0)).path
    lora_file.load(folder, base)


def test_wrong_settings_for_the_base_are_refused(family: str, base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"of medsam is not for the network .*choose {family}"):
        train("crossplane", settings(tmp_path, base, prepared="medsam"))
    with pytest.raises(TrainingError, match="blocks is 99, but this SAM has"):
        train("crossplane", settings(tmp_path, base, blocks=99))


def test_an_adapter_of_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    folder = train("crossplane", settings(tmp_path, base)).path
    other = write_folder(tmp_path / "other", random_sam3(seed=9))
    with pytest.raises(WeightsError, match=r"but .* is a different file"):
        create("crossplane", "cpu", weights=folder, base=other)
