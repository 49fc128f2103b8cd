"""Training Medical SAM3 on tiny networks: it learns, resumes, and its results load."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from medical_sam3_checkpoints import (  # noqa: E402
    SIDE,
    random_sam3,
    tiny_config,
    write_checkpoint,
)
from peft import PeftConfig  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from MedSegFMLib import Session, Text, create  # noqa: E402
from MedSegFMLib.errors import Cancelled, TrainingError, WeightsError  # noqa: E402
from MedSegFMLib.models.common.adapter_files import CONFIG_FILE, TENSORS_FILE  # noqa: E402
from MedSegFMLib.models.medical_sam3.tokenizer import PhraseTokenizer  # noqa: E402
from MedSegFMLib.models.medical_sam3.torch_runtime import empty_boxes  # noqa: E402
from MedSegFMLib.train.distributed import Processes  # noqa: E402
from MedSegFMLib.train.labelled_volumes import open_volumes  # noqa: E402
from MedSegFMLib.train.planner import plan  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.forward import answers, checkpoint_blocks  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.memory import (  # noqa: E402
    HALF_BYTES,
    WHOLE_BYTES,
    remembered_numbers,
)
from MedSegFMLib.train.recipes.medical_sam3.settings import MedicalSam3Settings  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.slices import Slices  # noqa: E402
from MedSegFMLib.train.recipes.medical_sam3.task import MedicalSam3Task  # noqa: E402
from MedSegFMLib.train.run import Trained, train  # noqa: E402
from MedSegFMLib.weights.safetensors_header import read_header  # noqa: E402

NAME = "medical-sam3"
TINY: dict[str, Any] = {
    "synthetic": 2,
    "side": 24,
    "batch": 2,
    "steps": 6,
    "rate": 3e-3,
    "warmup": 1,
    "device": "cpu",
    "precision": "no",
    "threads": 1,
    "validate_slices": 4,
    "validate_samples": 100_000,
}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def settings(tmp_path: Path, base: Path) -> Callable[..., MedicalSam3Settings]:
    def made(folder: str = "run", **changes: Any) -> MedicalSam3Settings:
        return MedicalSam3Settings(out=tmp_path / folder, **{**TINY, "base": base, **changes})

    return made


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(encoding="utf-8") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "loss"]


def adapters(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = load_file(str(folder / TENSORS_FILE))
    return tensors


def steps(task: MedicalSam3Task, count: int) -> list[float]:
    """The loss of one and the same batch before each step."""
    batch = next(task.batches(0, 1))
    seen = []
    for _ in range(count):
        seen.append(float(task.backward(batch, 0, 1.0)["loss"]))
        for optimiser in task.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"]
            optimiser.step()
            optimiser.zero_grad()
    return seen


def test_the_pass_of_training_answers_what_the_network_answers() -> None:
    network = random_sam3()
    images = torch.randn(2, 3, SIDE, SIDE)
    tokens = torch.tensor([[0, 5, 41, 1], [0, 7, 50, 1]])
    counts = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.inference_mode():
        expected = network(
            pixel_values=images,
            input_ids=tokens,
            attention_mask=counts,
            **empty_boxes(2, torch.device("cpu")),
        )
        one, many = answers(network, images, tokens, counts, many=True)
    low, high = one.boxes[-1][..., :2], one.boxes[-1][..., 2:]
    corners = torch.cat([low - high / 2, low + high / 2], dim=-1)
    assert torch.allclose(one.logits[-1], expected.pred_logits, atol=1e-4)
    assert torch.allclose(corners, expected.pred_boxes, atol=1e-4)
    assert torch.allclose(one.presence[-1], expected.presence_logits[:, 0], atol=1e-4)
    assert torch.allclose(one.masks, expected.pred_masks, atol=1e-3)
    assert len(one.logits) == 2 and many is not None and many.masks is None
    assert not torch.allclose(one.logits, many.logits)


def test_checkpointed_blocks_give_the_same_gradients() -> None:
    images, tokens = torch.randn(1, 3, SIDE, SIDE), torch.tensor([[0, 5, 41, 1]])
    found, calls = [], []
    for kept in (True, False):
        network = random_sam3().requires_grad_(True)
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if not kept:
            checkpoint_blocks(network)
        count = [0]
        calls.append(count)
        for layer in network.vision_encoder.backbone.layers:
            layer.mlp.register_forward_pre_hook(lambda *_, count=count: count.append(1))
        one, _ = answers(network, images, tokens, torch.ones_like(tokens), many=False)
        one.masks.square().mean().backward()
        found.append(network.vision_encoder.backbone.layers[0].mlp.fc1.weight.grad)
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-7)
    # Each of the two blocks was computed once, and once more.
    assert [sum(count) for count in calls] == [2, 4]


@pytest.mark.parametrize(("many", "half"), [(False, False), (True, False), (True, True)])
def test_the_memory_that_is_predicted_is_what_autograd_saves(many: bool, half: bool) -> None:
    config = tiny_config(layers=2, width=64)
    side = 24
    backbone = config.vision_config.backbone_config
    backbone.image_size, config.detr_decoder_config.num_queries = 14 * side, 40
    config.vision_config.backbone_feature_sizes = [[n * side] * 2 for n in (4, 2, 1)]
    network = random_sam3(config=config).requires_grad_(True)
    network.train()
    held = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in held:
            saved[storage.data_ptr()] = storage
        return tensor

    tokens = torch.tensor([[0, 5, 41, 1]])
    with (
        torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        kept = answers(
            network, torch.randn(1, 3, 14 * side, 14 * side), tokens, torch.ones_like(tokens), many
        )
    measured = sum(storage.nbytes() for storage in saved.values())
    numbers = remembered_numbers(config, recomputed=False, many=many, full=True)
    assert kept[0].masks is not None
    assert 0.8 < numbers * (HALF_BYTES if half else WHOLE_BYTES) / measured < 1.25


def test_where_all_weights_learn_none_is_without_a_gradient(settings: Callable[..., Any]) -> None:
    task = MedicalSam3Task(settings(mode="full", absent_share=0.0), Processes("cpu"))
    task.backward(next(task.batches(0, 1)), 0, 1.0)
    learns = {n: p for n, p in task._network.named_parameters() if p.requires_grad}
    assert [name for name, parameter in learns.items() if parameter.grad is None] == []
    assert learns.keys() == task.state().keys()
    # The empty geometry prompt learns, boxes do not.
    geometry = {name.split(".")[1] for name in learns if name.startswith("geometry_encoder.")}
    assert {"cls_embed", "final_proj", "prompt_layer_norm", "output_layer_norm"} < geometry
    assert not any(name.startswith("boxes_") for name in geometry)


def test_slices_show_the_object_their_words_name(base: Path) -> None:
    training, _ = open_volumes(None, "", 2, 24, 0)
    words = PhraseTokenizer(base.parent, 16)
    slices = Slices(training, ("axial", "sagittal"), SIDE, 16, words)
    batch = slices.batch(12, 0.3, np.random.default_rng(0))
    assert batch.images.shape == (12, 3, SIDE, SIDE) and batch.tokens.shape == (12, 16)
    assert len(batch.slices) == len(batch.boxes) == len(batch.masks) < 12
    assert batch.masks.flatten(1).any(dim=1).all()
    rows, columns = torch.meshgrid(*[(torch.arange(16) + 0.5) / 16] * 2, indexing="ij")
    for box, mask in zip(batch.boxes, batch.masks, strict=True):
        x, y, across, down = box.tolist()
        assert (columns[mask > 0] - x).abs().max() <= across / 2 + 1 / 16
        assert (rows[mask > 0] - y).abs().max() <= down / 2 + 1 / 16
    again = slices.batch(12, 0.3, np.random.default_rng(0))
    assert torch.equal(batch.images, again.images)
    assert len(slices.scored(5)) <= 5


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_training_lowers_the_loss(settings: Callable[..., Any], mode: str) -> None:
    task = MedicalSam3Task(settings(mode=mode, absent_share=0.0), Processes("cpu"))
    seen = steps(task, 12)
    assert np.mean(seen[-3:]) < 0.8 * np.mean(seen[:3])


def test_adapters_learn_and_the_weights_stay(settings: Callable[..., Any], base: Path) -> None:
    task = MedicalSam3Task(settings(), Processes("cpu"))
    learnt = task.state()
    assert learnt and all("lora_" in name for name in learnt)
    before = {
        name: parameter.detach().clone()
        for name, parameter in task._trained.named_parameters()
        if not parameter.requires_grad
    }
    steps(task, 2)
    after = dict(task._trained.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert any("detr_decoder" in name for name in learnt)
    assert any("vision_encoder" in name for name in learnt)


def test_a_run_in_parts_is_the_run_in_one_go(settings: Callable[..., Any]) -> None:
    whole = train(NAME, settings("whole"))

    def stop(fraction: float, phrase: str) -> None:
        if fraction >= 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train(NAME, settings("parts"), stop)
    parts = train(NAME, settings("parts"))
    first, second = adapters(whole.path), adapters(parts.path)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    # A fresh adapter's second matrix is nothing but zeros.
    assert any(tensor.any() for name, tensor in first.items() if "lora_B" in name)


def test_adapters_load_on_their_base_and_on_no_other(
    settings: Callable[..., Any], base: Path, tmp_path: Path
) -> None:
    made: Trained = train(NAME, settings())
    assert made.path.name == NAME and 0 <= made.scores["dice"] <= 1
    facts = json.loads(read_header(made.path / TENSORS_FILE).metadata["facts"])
    assert [item["name"] for item in facts["data"]] == ["scene 0", "scene 1"]
    assert {file.name for file in made.path.iterdir()} == {TENSORS_FILE, CONFIG_FILE}
    assert PeftConfig.from_pretrained(str(made.path)).peft_type == "LORA"
    training, _ = open_volumes(None, "", 1, 24, 3)
    predictions = []
    for options in ({}, {"adapter": str(made.path)}):
        session = Session(create(NAME, "cpu", weights=base, **options), training[0].image)
        session.add(Text("object 1"))
        predictions.append(session.predict().logits_kji)
    assert np.isfinite(predictions[1]).all()
    assert not np.array_equal(predictions[0], predictions[1])
    other = write_checkpoint(tmp_path / "other", seed=1)
    with pytest.raises(WeightsError, match="were trained on weights with the SHA-256"):
        create(NAME, "cpu", weights=other, adapter=made.path)
    save_file({"weight": torch.zeros(2)}, str(made.path / TENSORS_FILE))
    with pytest.raises(WeightsError, match="contains no adapters of medical-sam3"):
        create(NAME, "cpu", weights=base, adapter=made.path)


def test_a_fully_trained_network_loads_from_its_folder(settings: Callable[..., Any]) -> None:
    made = train(NAME, settings(mode="full", steps=2))
    training, _ = open_volumes(None, "", 1, 24, 3)
    session = Session(create(NAME, "cpu", weights=made.path), training[0].image)
    session.add(Text("object 1"))
    assert np.isfinite(session.predict().logits_kji).all()


def test_a_checkpoint_on_another_base_is_refused(
    settings: Callable[..., Any], tmp_path: Path
) -> None:
    train(NAME, settings(steps=1))
    other = write_checkpoint(tmp_path / "other", seed=1)
    with pytest.raises(TrainingError, match="is of another base"):
        train(NAME, settings(base=other))
    with pytest.raises(TrainingError, match="mode is full"):
        train(NAME, settings(mode="full"))


def test_the_plan_takes_steps_and_writes_nothing(settings: Callable[..., Any]) -> None:
    chosen = settings("planned", precision="bf16")
    found = plan(NAME, chosen)
    assert found.predicted_bytes > 0 and found.steps == 6 and not chosen.out.exists()


def test_settings_that_cannot_be_are_told(tmp_path: Path) -> None:
    for changes, match in [
        ({"batch": 0}, "batch is 0"),
        ({"planes": "axial,up"}, "no plane 'up'"),
        ({"layer_decay": 1.5}, "from 0 to 1"),
        ({"rate": 0.0}, "above 0"),
        ({"mode": "x"}, "There is no mode 'x'; choose from lora, full"),
        ({"targets": "x"}, "There is no targets 'x'; choose from qv"),
    ]:
        with pytest.raises(TrainingError, match=match):
            MedicalSam3Settings(out=tmp_path, **changes)
    with pytest.raises(WeightsError, match="does not exist"):
        MedicalSam3Task(MedicalSam3Settings(out=tmp_path, base=tmp_path / "no"), Processes("cpu"))
