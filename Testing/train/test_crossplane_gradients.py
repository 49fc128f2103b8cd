"""The recipe `crossplane`: three views of a voxel, their loss, and its exact gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sample_volumes import make_blob

pytest.importorskip("peft")

from sam_checkpoints import TINY, random_sam

from MedSegFMLib import Geometry
from MedSegFMLib.consistency.intersection import intersection_map
from MedSegFMLib.consistency.measure import plane_axes
from MedSegFMLib.errors import TrainingError
from MedSegFMLib.models.sam.create import REGION_RULE
from MedSegFMLib.models.sam.network.crossplane import CrossPlane
from MedSegFMLib.models.sam.network.lora import LoraChoice, with_adapters
from MedSegFMLib.models.sam.preprocessing import (
    MedsamPreprocessor,
    SamPreprocessor,
    SlicePreprocessor,
    slice_logits,
)
from MedSegFMLib.models.sam.torch_runtime import TorchSamRuntime
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.agreement import Agreement, Compared
from MedSegFMLib.train.labelled_volumes import LabelledVolume
from MedSegFMLib.train.recipes.crossplane.gradient_cache import (
    cached_backward,
    plain_backward,
)
from MedSegFMLib.train.recipes.crossplane.loss import crossplane_loss
from MedSegFMLib.train.recipes.crossplane.network import ViewNetwork
from MedSegFMLib.train.recipes.crossplane.samples import Sample, Samples, trained_objects

CPU = torch.device("cpu")
Gradients = dict[str, torch.Tensor]


def labelled(geometry: Geometry) -> LabelledVolume:
    volume, mask = make_blob(geometry)
    return LabelledVolume("ball", "CT", volume, mask.astype(np.int16), {1: "ball"})


def sample_of(geometry: Geometry, number: int = 0) -> Sample:
    return Samples(trained_objects([labelled(geometry)], REGION_RULE), 0.0, seed=0)[number]


def grid(directions: Any = None) -> Geometry:
    return Geometry.from_spacing((18, 22, 26), (0.8, 1.0, 1.7), directions)


class Trained:
    """A tiny network with adapters that are not at their beginning, and one sample."""

    def __init__(
        self,
        dtype: torch.dtype = torch.float64,
        half: bool = False,
        recomputed: bool = False,
        blocks: int = 0,
        prefix_bytes: int = 0,
        preprocessor: SlicePreprocessor | None = None,
    ) -> None:
        sam = random_sam(TINY).to(dtype)
        # segment_anything gives its places in 32 bits whatever the rest has.
        sam.prompt_encoder.pe_layer.float()
        choice = LoraChoice(4, 8.0, 0.2, "all", blocks, "lora")
        torch.manual_seed(1)
        self.model = with_adapters(sam, choice.peft_settings(TINY))
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(dtype)
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        network = CrossPlane(sam, choice.first_block(TINY), recomputed)
        preprocessor = preprocessor or SamPreprocessor("native")
        self.views = ViewNetwork(network, preprocessor, CPU, half, prefix_bytes)
        self.sample = sample_of(grid())
        self.model.train()

    def gradients(self, cached: bool) -> tuple[Gradients, dict[str, torch.Tensor]]:
        """Of the adapters, by name, and the loss's scalars, dropout the same each time."""
        self.model.zero_grad()
        torch.manual_seed(3)

        def loss(answers: list[torch.Tensor]) -> dict[str, torch.Tensor]:
            return crossplane_loss(
                answers, self.sample.views, 0.7, Agreement(coronal_sagittal=True)
            )

        views = self.views.answering(self.sample)
        if cached:
            values = cached_backward(views, loss, 0.5, CPU)
        else:
            values = plain_backward(views, loss, 0.5)
        named = self.model.named_parameters()
        return {n: p.grad.clone() for n, p in named if p.grad is not None}, values


def apart(one: Gradients, other: Gradients) -> float:
    """The greatest difference, relative to the greatest gradient."""
    assert one.keys() == other.keys() and len(one) > 10
    largest = max(float(g.abs().max()) for g in one.values())
    return max(float((one[name] - other[name]).abs().max()) for name in one) / largest


@pytest.mark.parametrize("preprocessor", [SamPreprocessor, MedsamPreprocessor])
@pytest.mark.parametrize("recomputed", [False, True])
def test_gradients_view_by_view_are_those_of_one_graph(
    recomputed: bool, preprocessor: Callable[[str], SlicePreprocessor]
) -> None:
    plain, values = Trained(preprocessor=preprocessor("native")).gradients(cached=False)
    cached, again = Trained(recomputed=recomputed, preprocessor=preprocessor("native")).gradients(
        True
    )
    assert apart(plain, cached) < 1e-10
    assert {name: float(v) for name, v in values.items()} == pytest.approx(
        {name: float(v) for name, v in again.items()}, rel=1e-12
    )


def test_dropout_would_be_missed_if_it_were_drawn_anew() -> None:
    """The judge can judge: without the generators' states the gradients are others."""
    trained = Trained()
    one, _ = trained.gradients(cached=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_rng_state", lambda state: torch.manual_seed(99))
        other, _ = trained.gradients(cached=True)
    assert apart(one, other) > 1e-4


def test_in_sixteen_bits_weights_keep_their_gradients() -> None:
    trained = Trained(dtype=torch.float32, half=True)
    plain, _ = trained.gradients(cached=False)
    cached, _ = trained.gradients(cached=True)
    assert apart(plain, cached) < 0.02
    assert all(float(gradient.abs().max()) > 0 for gradient in cached.values())


def test_the_generators_go_on_as_after_one_pass() -> None:
    drawn = []
    for cached in (False, True):
        Trained().gradients(cached)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def test_the_frozen_blocks_of_a_slice_are_computed_once() -> None:
    trained = Trained(dtype=torch.float32, blocks=1, prefix_bytes=1 << 20)
    first, _ = trained.gradients(cached=True)
    with pytest.MonkeyPatch.context() as patch:

        def refused(self: CrossPlane, images: torch.Tensor) -> torch.Tensor:
            raise AssertionError("this slice was seen before")

        patch.setattr(CrossPlane, "prefix", refused)
        again, _ = trained.gradients(cached=True)
    assert apart(first, again) == 0
    fresh, _ = Trained(dtype=torch.float32, blocks=1).gradients(cached=True)
    assert 0 < apart(fresh, first) < 0.01


def test_adapters_lie_in_the_last_blocks_alone() -> None:
    trained = Trained(blocks=1)
    names = [name for name, p in trained.model.named_parameters() if p.requires_grad]
    assert any("blocks.1." in name for name in names)
    assert not any("blocks.0." in name for name in names)
    assert any("mask_decoder" in name for name in names)
    plain = LoraChoice(4, 8.0, 0.0, "qkv", 1, "frozen").peft_settings(TINY)
    model = with_adapters(random_sam(TINY), plain)
    found = {name.split(".lora_")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert found == {"base_model.model.image_encoder.blocks.1.attn.qkv"}


def test_views_meet_in_the_same_voxels(directions: np.ndarray) -> None:
    """Every voxel has its own number, and both slices show the same ones where they meet."""
    volume = labelled(grid(directions))
    numbers = torch.arange(volume.labels_kji.size).reshape(volume.labels_kji.shape)
    (target,) = trained_objects([volume], REGION_RULE)
    for n in range(5):
        views = Samples([target], 0.0, seed=n)[n].views
        shown = []
        for view in views:
            part = numbers[target.region.slices].numpy()
            shown.append(torch.from_numpy(view.plane.stack(part))[view.key[2]])
        crossed = [int(s[v.crossed]) for s, v in zip(shown, views, strict=True)]
        assert len(set(crossed)) == 1
        for a in range(3):
            for b in range(a):
                axis = 3 - views[a].plane.axes_kji[0] - views[b].plane.axes_kji[0]
                one, other = views[a].line(shown[a], axis), views[b].line(shown[b], axis)
                assert torch.equal(one, other) and len(one) == target.region.shape_kji[axis]
                assert bool((one.diff() > 0).all())


def test_a_view_shows_the_object_and_is_asked_for_it(directions: np.ndarray) -> None:
    volume = labelled(grid(directions))
    (target,) = trained_objects([volume], REGION_RULE)
    kinds = set()
    for n in range(12):
        for view in Samples([target], 0.0, seed=0)[n].views:
            row, column = view.crossed
            assert view.target[row, column] == 1
            for point in view.prompt.points:
                assert point == (row, column, True)
            if view.prompt.box is not None:
                top, left, bottom, right = view.prompt.box
                inside = view.target[top:bottom, left:right]
                assert inside.sum() == view.target.sum()
            kinds.add((view.prompt.box is not None, len(view.prompt.points)))
    assert kinds == {(True, 0), (True, 1), (False, 1)}


def test_voxels_lie_on_surfaces_or_where_planes_disagree() -> None:
    (target,) = trained_objects([labelled(grid())], REGION_RULE)
    middle = [n // 2 for n in target.mask_kji.shape]
    assert middle not in target.surface.tolist()
    target.hot = np.array([middle], np.int32)
    voxels = [Samples([target], 0.5, seed=0)[n].views[0].crossed for n in range(40)]
    centre = Samples([target], 1.0, seed=0)[0].views[0].crossed
    assert 10 < voxels.count(centre) < 30


def test_a_sample_is_the_same_for_its_number() -> None:
    objects = trained_objects([labelled(grid())], REGION_RULE)
    one, other = (Samples(objects, 0.0, seed=4) for _ in range(2))
    stream = one.from_number(1, 3)
    for number in (1, 4, 7):
        taken, again = next(stream), other[number]
        assert [v.prompt for v in taken.views] == [v.prompt for v in again.views]
        assert [v.key for v in taken.views] == [v.key for v in again.views]


@pytest.mark.parametrize("compared", ["probabilities", "logits"])
def test_the_intersection_term_is_the_measure_of_consistency(
    compared: Compared, directions: np.ndarray
) -> None:
    """On the three slices through a voxel, as `intersection_map` has it, a mean for a sum."""
    volume = labelled(grid(directions))
    (target,) = trained_objects([volume], None)
    shape = volume.labels_kji.shape
    random = torch.Generator().manual_seed(0)
    logits = {name: torch.randn(shape, generator=random) for name in target.stacks.planes}
    seen = {n: (v if compared == "logits" else v.sigmoid()).numpy() for n, v in logits.items()}
    axes = plane_axes(volume.image.geometry)
    sample = Samples([target], 0.0, seed=1)[0]
    answers = []
    for view in sample.views:
        stack = view.plane.stack(logits[view.plane.name].numpy())
        answers.append(torch.from_numpy(stack[view.key[2]]))
    values = crossplane_loss(answers, sample.views, 1.0, Agreement(compared))
    voxel = [0, 0, 0]
    for view in sample.views:
        index = view.key[2]
        axis = view.plane.axes_kji[0]
        voxel[axis] = shape[axis] - 1 - index if view.plane.flips[0] else index
    by_axis = []
    for other in ("coronal", "sagittal"):
        pair = {name: seen[name] for name in ("axial", other)}
        line = 3 - axes["axial"] - axes[other]
        by_axis.append(intersection_map(pair, axes)[tuple(voxel)] / shape[line])
    assert float(values["intersection_loss"]) == pytest.approx(sum(by_axis), rel=1e-4)
    with_third = crossplane_loss(
        answers, sample.views, 1.0, Agreement(compared, coronal_sagittal=True)
    )
    assert float(with_third["intersection_loss"]) > float(values["intersection_loss"])


def test_what_is_trained_is_what_the_model_answers() -> None:
    """After a box, a box and a click, and a click alone, of which three masks may be meant."""
    sam = random_sam(TINY)
    network = CrossPlane(sam, 0, recomputed=False)
    preprocessor = SamPreprocessor("native")
    views = ViewNetwork(network, preprocessor, CPU, half=False, prefix_bytes=0)
    runtime = TorchSamRuntime(sam, CPU)
    kinds = set()
    for number in range(12):
        sample = sample_of(grid(), number)
        with torch.inference_mode():
            answers = [answer() for answer in views.answering(sample)]
        for view, answer in zip(sample.views, answers, strict=True):
            plan = preprocessor.resize_plan((view.slice_image.shape[0], view.slice_image.shape[1]))
            features = runtime.encode(
                preprocessor.images(view.slice_image[None], plan), no_progress
            )
            (low,) = runtime.decode(features, [plan.prompt(view.prompt)], plan.input)
            expected = slice_logits(preprocessor, low, plan)
            np.testing.assert_allclose(answer.numpy(), expected, atol=1e-4)
            kinds.add((view.prompt.box is not None, len(view.prompt.points)))
    assert len(kinds) == 3


def test_two_lines_that_differ_by_a_half_cost_a_quarter() -> None:
    sample = sample_of(grid())
    answers = [torch.full_like(view.target, 0.0) for view in sample.views]
    answers[0] += 1e9
    values = crossplane_loss(answers, sample.views, 2.0, Agreement())
    assert float(values["intersection_loss"]) == pytest.approx(2 * 0.25)
    expected = float(values["segmentation_loss"]) + 2.0 * 0.5
    assert float(values["loss"]) == pytest.approx(expected)


def test_a_volume_of_one_slice_is_refused() -> None:
    thin = labelled(Geometry.from_spacing((1, 22, 26)))
    with pytest.raises(TrainingError, match=r"26 x 22 x 1 voxels.*8 along each axis"):
        trained_objects([thin], REGION_RULE)


@pytest.mark.parametrize("unsure", [0.1, 0.9])
def test_masks_that_differ_cost_the_same_however_unsure_they_are(unsure: float) -> None:
    one, other = torch.full((8,), -unsure), torch.full((8,), unsure, requires_grad=True)
    price = Agreement("masks").price(one, other)
    assert float(price.detach()) == 1.0
    price.backward()
    # The gradient is that of the probability, so that the mask can change.
    slope = other.detach().sigmoid() * (1 - other.detach().sigmoid())
    torch.testing.assert_close(other.grad, 2 * slope / 8)


def test_masks_that_agree_cost_nothing_beyond_their_entropy() -> None:
    one, other = torch.tensor([0.3, -4.0]), torch.tensor([3.0, -0.2])
    assert float(Agreement("masks").price(one, other)) == 0
    likely = torch.cat([one, other]).sigmoid()
    unsure = -(likely * likely.log() + (1 - likely) * (1 - likely).log()).mean()
    priced = Agreement("masks", certainty=0.5).price(one, other)
    assert float(priced) == pytest.approx(0.5 * float(unsure), rel=1e-5)


def test_sharpened_probabilities_come_near_to_masks_and_a_margin_forgives() -> None:
    one, other = torch.tensor([0.5]), torch.tensor([-0.5])
    prices = [float(Agreement(sharpness=factor).price(one, other)) for factor in (1, 4, 100)]
    assert prices == sorted(prices) and prices[-1] == pytest.approx(1.0)
    gap = float(one.sigmoid() - other.sigmoid())
    assert float(Agreement(margin=gap + 0.01).price(one, other)) == 0
    assert float(Agreement(margin=gap - 0.1).price(one, other)) == pytest.approx(0.01, rel=1e-4)
