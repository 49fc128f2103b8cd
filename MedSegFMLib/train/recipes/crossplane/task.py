"""Cross-plane adaptation of SAM as a task: training on voxels, scores, and the adapter."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....drawing.consistency_figure import draw_consistency
from ....errors import TrainingError
from ....models.common.lora import load_adapters
from ....models.planar.stacks import PLANE_NAMES
from ....models.sam import lora_file, network_files
from ....models.sam.base import BASES, base_weights
from ....models.sam.create import REGION_RULE
from ....models.sam.model import CARD
from ....models.sam.network.config import NetworkConfig
from ....models.sam.network.crossplane import CrossPlane
from ....models.sam.network.lora import LoraChoice, with_adapters
from ....models.sam.prepared import PREPARED, make_preprocessor
from ....models.sam.segmenter import DEFAULT_CACHE_BYTES, PlanarSegmenter
from ....models.sam.torch_runtime import TorchSamRuntime
from ....progress import Progress, part_of, parts_of
from ....system.atomic_files import atomic_path, write_text
from ...agreement import Agreement
from ...distributed import Processes
from ...labelled_volumes import digest, manifest, open_volumes
from ...precision import is_half
from ...schedule import StepSchedule
from ...task import Task
from .gradient_cache import cached_backward, plain_backward
from .loss import crossplane_loss
from .memory import predicted_bytes
from .network import ViewNetwork
from .samples import Sample, Samples, spread, trained_objects
from .scores import SCORES, Seen, find_hot_voxels, scores
from .settings import CrossplaneSettings

REPORT_FILE = "report.json"

# Settings that an adapter does not record, because file paths are private.
_PATHS = ("out", "cases", "base")


class CrossplaneTask(Task):
    """New adapters around a SAM, and the volumes to train them on."""

    samples = 1

    def __init__(self, settings: CrossplaneSettings, processes: Processes) -> None:
        self._started = time.perf_counter()
        self._settings = settings
        self._processes = processes
        device = processes.device
        path, self._base_sha256 = base_weights(settings.base)
        sam = network_files.load(path)
        self._config: NetworkConfig = sam.config
        training, held_back = open_volumes(
            settings.cases, settings.held_back, settings.synthetic, settings.side, settings.seed
        )
        rule = REGION_RULE if settings.size == "native" else None
        self._objects = trained_objects(training, rule)
        self._scored = spread(trained_objects(held_back, rule), settings.validation_objects)
        self._manifest = manifest(training)
        self._prepared = prepared_as(settings, self._config)
        self._preprocessor = make_preprocessor(self._prepared, settings.size, self._config)
        self._half = is_half(settings.precision, device)
        if settings.blocks > sam.config.depth:
            raise TrainingError(
                f"blocks is {settings.blocks}, but this SAM has {sam.config.depth}; give fewer."
            )
        choice = LoraChoice(
            settings.rank,
            settings.alpha,
            settings.dropout,
            settings.targets,
            settings.blocks,
            settings.decoder,
        )
        if self._half:
            # The decoder stays in 32 bits: it is small, and computes the masks.
            sam.trunk.to(torch.bfloat16)
        torch.manual_seed(settings.seed)
        self._lora = choice.peft_settings(sam.config)
        self._peft = with_adapters(sam, self._lora).to(device)
        self._sam = sam
        first = choice.first_block(sam.config)
        self.network = CrossPlane(sam, first, settings.recomputed)
        self._views = ViewNetwork(
            self.network,
            self._preprocessor,
            device,
            self._half,
            settings.prefix_bytes if first else 0,
        )
        self._adapters = [p for p in self._peft.parameters() if p.requires_grad]
        self.optimisers = [
            torch.optim.AdamW(self._adapters, settings.rate, weight_decay=settings.weight_decay)
        ]
        self.optimisers[0].param_groups[0]["peak"] = settings.rate
        self.schedule = StepSchedule(settings.steps, settings.warmup, "cosine")
        must_match = ("rank", "alpha", "targets", "blocks", "decoder", "size")
        self.must_match = {
            "base": self._base_sha256,
            # The checkpoint contains scores and voxels of these volumes.
            "set of volumes": digest([*self._manifest, *manifest(held_back)]),
            **{key: getattr(settings, key) for key in must_match},
        }
        self._hot: list[Tensor] | None = None
        self._before: dict[str, float] | None = None
        self._after: dict[str, float] = {}
        self._shown: Seen | None = None

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Score the base and find where its planes disagree, unless a checkpoint has both."""
        if brief:
            return
        with self._peft.disable_adapter():
            if self._before is None:
                self._before, _ = scores(
                    self._segmenter,
                    self._scored,
                    _with_phrase(progress, 0.0, 0.3, "Scoring the base"),
                )
            if self._hot is None:
                self._hot = self._find_hot(
                    _with_phrase(progress, 0.3, 1.0, "Finding where the planes disagree")
                )
        for target, voxels in zip(self._objects, self._hot, strict=True):
            target.hot = voxels.numpy()

    def batches(self, first: int, stride: int) -> Generator[Sample, None, None]:
        """See `Task.batches`; each batch is one voxel."""
        settings = self._settings
        samples = Samples(self._objects, settings.hot_share, settings.seed)
        return samples.from_number(first, stride)

    def backward(self, batch: Sample, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`."""
        settings = self._settings
        seed = np.random.SeedSequence((settings.seed, number)).generate_state(1)[0]
        torch.manual_seed(int(seed))
        # Validation has turned dropout off.
        self._peft.train()
        intersection_weight = settings.consistency * self._ramp(number)
        agreement = Agreement(
            settings.compared,
            settings.sharpness,
            settings.margin,
            settings.certainty,
            settings.coronal_sagittal,
        )

        def loss(answers: list[Tensor]) -> dict[str, Tensor]:
            return crossplane_loss(
                answers,
                batch.views,
                intersection_weight,
                agreement,
            )

        views = self._views.answering(batch)
        if settings.cached:
            return cached_backward(views, loss, weight, self._processes.device)
        return plain_backward(views, loss, weight)

    def _adapter_state(self) -> dict[str, Tensor]:
        from peft import get_peft_model_state_dict

        return dict(get_peft_model_state_dict(self._peft))

    def state(self) -> dict[str, Tensor]:
        """The adapters, and the results of `prepare`."""
        state: dict[str, Tensor] = self._adapter_state()
        assert self._hot is not None and self._before is not None, "prepare was called"
        state |= {f"hot.{place}": voxels for place, voxels in enumerate(self._hot)}
        state["before"] = torch.tensor([self._before[name] for name in SCORES])
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Task.restore`."""
        self._hot = [state.pop(f"hot.{place}") for place in range(len(self._objects))]
        self._before = dict(zip(SCORES, state.pop("before").tolist(), strict=True))
        load_adapters(self._peft, state)

    def validate(self, progress: Progress) -> dict[str, float]:
        """See `SCORES`."""
        self._after, self._shown = scores(self._segmenter, self._scored, progress)
        return dict(self._after)

    def draw(self, path: Path, title: str) -> None:
        """Draw the disagreement of the planes on the first object that was scored."""
        if self._shown is not None:
            shown = self._shown
            figure = draw_consistency(
                shown.target.volume.image, shown.prediction, shown.consistency, title
            )
            with atomic_path(path) as beside:
                figure.savefig(beside, dpi=90, facecolor="black")

    def write(self, path: Path) -> None:
        """Write the adapter's folder, and beside it `report.json` with scores before and after."""
        settings = self._settings
        facts = lora_file.AdapterFacts(
            settings.base if settings.base in BASES else Path(settings.base).name,
            self._base_sha256,
            self._config.name,
            self._prepared,
            settings.size,
            self._lora,
            self._manifest,
            {key: str(value) for key, value in asdict(settings).items() if key not in _PATHS},
        )
        lora_file.write(path, facts, self._adapter_state())
        report = {
            "before": _numbers(self._before),
            "after": _numbers(self._after),
            "held_back": sorted({target.volume.name for target in self._scored}),
            "objects": len(self._scored),
            "base": {"name": facts.base, "sha256": facts.base_sha256},
            "seconds": round(time.perf_counter() - self._started, 1),
        }
        write_text(path.parent / REPORT_FILE, json.dumps(report, indent=1))

    def predicted_bytes(self) -> int:
        """See `Task.predicted_bytes`."""
        return predicted_bytes(
            self._settings, self._config, self._adapters, self._sizes(), self._half
        )

    def _sizes(self) -> list[list[tuple[int, int]]]:
        """(rows, columns) of the network's input for each view of each object."""
        sizes = []
        for target in self._objects:
            planes = target.stacks.planes.values()
            shapes = [plane.shape(target.region.shape_kji)[1:] for plane in planes]
            sizes.append(
                [self._preprocessor.resize_plan((rows, columns)).input for rows, columns in shapes]
            )
        return sizes

    def _find_hot(self, progress: Progress) -> list[Tensor]:
        if not self._settings.hot_share:
            return [torch.from_numpy(target.hot) for target in self._objects]
        segmenter = self._segmenter()
        parts = parts_of(progress, len(self._objects))
        return [
            torch.from_numpy(find_hot_voxels(segmenter, target, part))
            for target, part in zip(self._objects, parts, strict=True)
        ]

    def _segmenter(self) -> PlanarSegmenter:
        """A segmenter with the current weights; a new one, because segmenters cache features."""
        self._peft.eval()
        device = self._processes.device
        runtime = TorchSamRuntime(self._sam, device, "crossplane", self._half)
        return PlanarSegmenter(
            CARD, runtime, self._preprocessor, "reliable", PLANE_NAMES, DEFAULT_CACHE_BYTES
        )

    def _ramp(self, number: int) -> float:
        """The ramp of the intersection term's weight at a batch, 0 to 1."""
        settings = self._settings
        together = settings.steps * settings.accumulate * self._processes.count
        ramp = settings.ramp * together
        return min(1.0, number / ramp) if ramp else 1.0


def prepared_as(settings: CrossplaneSettings, network: NetworkConfig) -> str:
    """The preprocessing of slices, one of `PREPARED`: the stated one, or that of the base."""
    if settings.prepared != "auto":
        return settings.prepared
    is_named = settings.base in PREPARED and network.family == "sam"
    return settings.base if is_named else network.family


def _with_phrase(progress: Progress, start: float, stop: float, phrase: str) -> Progress:
    """Progress of a part with a fixed phrase, because training has not begun."""
    part = part_of(progress, start, stop)
    return lambda fraction, _: part(fraction, phrase)


def _numbers(values: Mapping[str, float] | None) -> dict[str, float | None]:
    """Scores for JSON, with null for NaN."""
    return {name: None if isnan(value) else value for name, value in (values or {}).items()}
