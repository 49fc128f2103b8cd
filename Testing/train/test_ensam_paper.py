"""`recipe=paper`: every setting of the paper at once, on the challenge's files as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from challenge_folder import SHAPE, link_files, write_file, write_folder
from safetensors.torch import load_file

from MedSegFMLib import Box, Session, create
from MedSegFMLib.datasets.challenge_npz import read_image
from MedSegFMLib.errors import Cancelled, TrainingError
from MedSegFMLib.models.ensam import voxel_grid
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.network import config as ensam_config
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.counters import Counters
from MedSegFMLib.train.distributed import Processes
from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.recipes.ensam.alterations import altered
from MedSegFMLib.train.recipes.ensam.batches import Batches
from MedSegFMLib.train.recipes.ensam.instances import (
    index_instances,
    instance_batch,
    open_instances,
)
from MedSegFMLib.train.recipes.ensam.settings import PAPER, EnsamSettings
from MedSegFMLib.train.recipes.ensam.task import EnsamTask
from MedSegFMLib.train.run import train
from MedSegFMLib.train.settings_text import parse_settings

CPU = torch.device("cpu")
# What makes a run of the paper's settings a matter of seconds.
SMALL = "width=4 depth=1 alter=0 precision=no device=cpu threads=1 workers=0 validation_objects=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), {"CT_a": 2, "MR_b": 1})


Paper = Callable[..., EnsamSettings]


@pytest.fixture
def paper(folder: Path, tmp_path: Path) -> Paper:
    def settings(out: str = "run", more: str = "") -> EnsamSettings:
        (tmp_path / out).mkdir(exist_ok=True)
        words = f"out={tmp_path / out} recipe=paper data={folder} {SMALL} {more}"
        return parse_settings(EnsamSettings, words.split())

    return settings


def test_one_word_sets_every_setting_of_the_paper(folder: Path) -> None:
    settings = parse_settings(EnsamSettings, ["out=a", "recipe=paper", f"data={folder}"])
    assert {name: getattr(settings, name) for name in PAPER} == dict(PAPER)
    assert settings.network() == ensam_config.PAPER
    assert settings.halvings() == (2, 5, 10) and settings.epochs == 15
    assert (settings.batch, settings.accumulate) == (1, 4)
    # All six answers, after a box and five clicks, are graded.
    assert settings.graded == settings.clicks + 1 == 6 and settings.boxed_share == 1
    # Each of them is set because the default is another, or might become another.
    default = EnsamSettings(Path("a"), minutes=1)
    differ = {name for name, value in PAPER.items() if getattr(default, name) != value}
    assert differ >= {
        *("native", "positions", "dense_prompts", "activation", "alpha", "views", "click_rule"),
        *("batch", "accumulate", "epochs", "halved_at", "graded", "boxed_share", "average"),
    }


def test_a_word_beside_the_recipe_counts_before_it(paper: Paper) -> None:
    assert paper(more="dense_prompts=true epochs=1").dense_prompts
    with pytest.raises(TrainingError, match=r"recipe is 'papr'.*did you mean paper"):
        parse_settings(EnsamSettings, ["out=a", "minutes=1", "recipe=papr"])
    with pytest.raises(TrainingError, match="give their folder as data="):
        parse_settings(EnsamSettings, ["out=a", "recipe=paper"])


def test_the_network_has_the_documented_number_of_parameters() -> None:
    torch.manual_seed(0)
    network = Ensam(ensam_config.PAPER)
    assert sum(p.numel() for p in network.parameters()) == 5_484_819


def test_alpha_starts_as_in_ngpt() -> None:
    step = Ensam(ensam_config.PAPER).interactions[0].turns[0]
    assert step.alpha.tolist() == pytest.approx([128**-0.5] * 128)
    tokens, computed = torch.eye(128)[:2]
    moved = step(tokens[None], computed[None])[0]
    # alpha is 0.05: 0.95 of the one and 0.05 of the other, made a unit vector.
    expected = torch.tensor([0.95, 0.05]) / (0.95**2 + 0.05**2) ** 0.5
    torch.testing.assert_close(moved[:2].detach(), expected)


def test_the_mlp_has_a_relu() -> None:
    mlp = Ensam(ensam_config.PAPER).interactions[0].mlp
    tokens = torch.randn(1, 3, 128)
    by_hand = mlp.down(mlp.up(tokens) * (128**0.5 * mlp.gate(tokens)).clamp(min=0))
    torch.testing.assert_close(mlp(tokens), by_hand)


def test_a_sample_is_the_object_with_margins_of_1_to_64_voxels_on_its_own_voxels(
    paper: Paper,
) -> None:
    settings = paper()
    index_instances(settings, no_progress)
    instances = open_instances(settings)
    shapes = set()
    for number in range(len(instances.training)):
        batch = instance_batch(instances, number, True, settings, CPU)
        assert batch.boxes_kji is not None and batch.previous is None
        first, last = batch.boxes_kji[0].long()
        inside = batch.target[0, 0] > 0.5
        where = inside.nonzero()
        # The tight box, of voxels that were not resampled.
        assert torch.equal(where.amin(0), first) and torch.equal(where.amax(0), last)
        assert inside.sum() in (6 * 9 * 8, 6 * 9 * 6)
        shape = torch.tensor(inside.shape)
        assert bool((shape <= torch.tensor(SHAPE)).all())
        assert bool(((first >= 1) & (last <= shape - 1)).any())
        assert batch.spacing_kji_mm[0].tolist() == pytest.approx([2.5, 0.8, 0.8])
        shapes.add(tuple(inside.shape))
    assert len(shapes) > 1


def test_a_region_of_too_many_voxels_is_max_pooled_on_all_but_the_shortest_axis(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert voxel_grid.pooling_factors((256, 256, 64)) == (1, 1, 1)
    assert voxel_grid.pooling_factors((256, 256, 65)) == (2, 2, 1)
    assert voxel_grid.pooling_factors((33, 512, 512)) == (1, 2, 2)
    monkeypatch.setattr(voxel_grid, "MOST_VOXELS", 2000)
    settings = paper()
    index_instances(settings, no_progress)
    batch = instance_batch(open_instances(settings), 0, True, settings, CPU)
    assert batch.target[0, 0].numel() <= 2000
    assert batch.spacing_kji_mm[0].tolist() == pytest.approx([2.5, 1.6, 1.6])
    assert set(batch.target.unique().tolist()) == {0, 1}


def test_every_object_is_seen_once_in_an_epoch_in_another_order(paper: Paper) -> None:
    settings = paper()
    index_instances(settings, no_progress)
    batches = Batches(settings, CPU)
    count = len(batches.instances().training)
    assert count == 4
    epochs = []
    for epoch in range(6):
        seen = [batches[epoch * count + n] for n in range(count)]
        epochs.append(tuple(float(b.target.sum()) for b in seen))
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs)) > 1


def test_the_rate_is_halved_after_epochs_2_5_and_10(paper: Paper) -> None:
    task = EnsamTask(paper(), Processes("cpu"))
    task.prepare(no_progress, brief=False)
    factors = [task.schedule.factor(Counters(samples=4 * epoch), 0) for epoch in range(15)]
    assert factors == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25] + [0.125] * 5
    assert task.schedule.used(Counters(samples=30), Counters(samples=16)) == 0.5


def test_alterations_change_the_image_and_repeat_with_their_seed() -> None:
    image = torch.rand(9, 10, 11, generator=torch.Generator().manual_seed(0))
    one, again, other = (altered(image, 1.0, np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.dtype == torch.float32 and not torch.equal(one, image)
    assert torch.equal(altered(image, 0.0, np.random.default_rng(1)), image)


def test_weights_of_the_paper_are_trained_and_segment(
    paper: Paper, folder: Path, tmp_path: Path
) -> None:
    path = train("ensam", paper(more="epochs=1")).path
    config = ensam_weights.read_config(path)
    assert config.native and config.activation == "relu" and config.alpha == "ngpt"
    logged = {row["name"] for row in read_log(path.parent)}
    assert {"loss", "dice_0", "dice_5"} <= logged
    model = create("ensam", "cpu", weights=path)
    # The paper's region, and its answer as it is: no random walk.
    assert model.card.region_rule.margin_voxels == 32 and model.card.region_rule.shared
    assert type(model).__name__ == "EnsamSegmenter"
    volume = read_image(folder / "CT_a" / "CT_a_000.npz")
    session = Session(model, volume)
    session.add(Box.from_ijk(volume.geometry, (3, 3, 3), (12, 13, 9)))
    prediction = session.predict()
    assert prediction.logits_kji.shape == SHAPE and np.isfinite(prediction.logits_kji).all()


def test_a_native_region_that_is_pooled_gets_its_logits_back_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(voxel_grid, "MOST_VOXELS", 4000)
    shape = (9, 31, 33)
    factors = voxel_grid.pooling_factors(shape)
    assert factors == (1, 2, 2)
    ramp = np.broadcast_to(np.arange(33, dtype=np.float32), shape)
    back = voxel_grid.unpooled_logits(voxel_grid.pooled_logits(ramp, factors), factors, shape)
    assert back.shape == shape
    np.testing.assert_allclose(back[:, :, 2:-3], ramp[:, :, 2:-3], atol=1e-4)
    positions = voxel_grid.pooled_positions(np.array([[4.0, 1.0, 2.0]]), factors)
    assert positions.tolist() == [[4.0, 0.25, 0.75]]


def test_a_run_of_the_paper_that_was_stopped_goes_on_exactly(paper: Paper) -> None:
    whole = train("ensam", paper("whole", "epochs=2")).path
    stopped = paper("stopped", "epochs=2")
    calls = 0

    def stop(fraction: float, phrase: str) -> None:
        nonlocal calls
        calls += "Indexing" not in phrase
        if calls == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train("ensam", stopped, stop)
    assert not (stopped.out / "ensam.safetensors").exists()
    again = train("ensam", stopped).path
    first, second = load_file(str(whole)), load_file(str(again))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_thousands_of_files_do_not_fill_the_memory(tmp_path: Path) -> None:
    source = write_file(tmp_path / "one.npz", 0, (24, 48, 48))
    many = link_files(tmp_path / "many", source, 2000)
    words = f"out={tmp_path / 'run'} recipe=paper data={many} alter=0 seed=1".split()
    settings = parse_settings(EnsamSettings, words)
    settings.out.mkdir()
    process = psutil.Process()
    index_instances(settings, no_progress)
    instances = open_instances(settings)
    assert len(instances.training) == 2 * 1900 and len(instances.scored) == 2 * 100
    instance_batch(instances, 0, True, settings, CPU)
    before = process.memory_info().rss
    for number in range(1, len(instances.training), 8):
        instance_batch(instances, number, True, settings, CPU)
    # All of them together would have 240 MB.
    assert process.memory_info().rss - before < 40_000_000


def test_files_that_were_indexed_are_not_read_again(paper: Paper) -> None:
    settings = paper()
    said: list[str] = []
    for _ in range(2):
        index_instances(settings, lambda fraction, phrase: said.append(phrase))
    assert said == [f"Indexing file {n} of 3" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("native=true batch=2 minutes=1", "give batch=1"),
        ("objects=5 minutes=1", "larger batch="),
        ("minutes=1 data=a pack=b", "one of them"),
        ("epochs=2", "data="),
        ("data=a epochs=2 halved_at=two", "such as 2,5,10"),
        ("data=a epochs=2 coreset=0", "above 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(words: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        parse_settings(EnsamSettings, ["out=a", *words.split()])


def test_one_file_alone_cannot_be_trained_on_and_scored(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "CT_a_1.npz", 0)
    more: Any = f"out={tmp_path} data={tmp_path / 'data'} samples=1".split()
    settings = parse_settings(EnsamSettings, more)
    index_instances(settings, no_progress)
    with pytest.raises(TrainingError, match="in two files"):
        open_instances(settings)
