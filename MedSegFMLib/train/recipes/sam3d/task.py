"""SAM3D's decoder as a task: features of volumes, the loss of a batch, and the result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....drawing.outlines import Outline, object_colour
from ....drawing.panels import panels_through
from ....drawing.picture import Scene, draw_panels, write_picture
from ....metrics import dice
from ....models.sam3d import weights as sam3d_weights
from ....models.sam3d.config import Sam3dConfig
from ....models.sam3d.decoding import class_scores
from ....models.sam3d.encoder_features import embeddings
from ....models.sam3d.feature_files import FeatureFiles, Features
from ....models.sam3d.model import open_base
from ....models.sam3d.network import Sam3dDecoder, decoder_on_meta
from ....models.sam3d.patches import PatchGrid
from ....models.sam3d.weights import Sam3dFacts
from ....progress import Progress, no_progress, parts_of
from ....volumes.region import shape_triple
from ...distributed import Processes
from ...labelled_volumes import manifest, open_volumes
from ...precision import autocast, is_half
from ...schedule import StepSchedule
from ...task import Task
from .augmentation import augmented
from .loss import supervised_loss
from .patches import Patches, PatchVolume, make_patches
from .settings import Sam3dSettings
from .volumes import ONE_CLASS, ClassVolume, channels_of, class_volume, classes_in

# Of the published trainer, after nnU-Net's.
_MOMENTUM = 0.99
_LARGEST_GRADIENT = 12.0

# A weight with its gradient and its momentum.
_BYTES_PER_WEIGHT = 12
# Besides the activations kept for the backward pass: their gradients, as a part of them, and
# torch's working memory. Measured on a CPU with a ViT-B: 1.43 GB, with 1.46 predicted, for the
# published patch, and 2.00, with 1.92 predicted, for twice the batch.
_BACKWARD_FACTOR = 1.1
_WORKING_BYTES = 600_000_000
# Weights of SAM that are not in the blocks of its encoder, as measured for ViT-B and ViT-H.
_OTHER_BASE_WEIGHTS = 9_000_000

_FOLDER = "features"


class Sam3dTask(Task):
    """A new decoder, the same in all processes, and the volumes to train it on."""

    def __init__(self, settings: Sam3dSettings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        self._training, self._scored = open_volumes(
            settings.cases, settings.held_back, settings.synthetic, settings.side, settings.seed
        )
        classes = ONE_CLASS if settings.cases is None else classes_in(self._training)
        self._base = open_base(settings.base, str(processes.device))
        channels = channels_of([*self._training, *self._scored])
        self._facts = Sam3dFacts(
            classes, settings.patch, settings.depth, self._base.sha256, channels
        )
        self._half = is_half(settings.precision, processes.device)
        self._files = FeatureFiles(settings.out / _FOLDER, None)
        torch.manual_seed(settings.seed)
        config = Sam3dConfig(1 + len(classes), max(1, len(channels)), settings.shortcuts)
        self.decoder = Sam3dDecoder(config).to(processes.device)
        optimiser = torch.optim.SGD(
            self.decoder.parameters(),
            settings.rate,
            momentum=_MOMENTUM,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
        for group in optimiser.param_groups:
            group["peak"] = settings.rate
        self.optimisers = [optimiser]
        self.schedule = StepSchedule(settings.steps, settings.warmup, "poly")
        self.must_match = {
            "set of classes": ",".join(classes),
            "set of images": ",".join(channels),
            "shortcuts": settings.shortcuts,
            "patch": settings.patch,
            "depth": settings.depth,
            "base": self._base.sha256,
        }
        self.samples = settings.batch
        self.largest_gradient = _LARGEST_GRADIENT
        self._volumes: list[PatchVolume] = []
        self._found: list[NDArray[np.uint8]] = []

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Compute the features of every slice of every variant once, shared among processes.

        If brief, only those of one volume.
        """
        total = 1 if brief else len(self._training) * self._settings.variants
        makers = [partial(self.variant, number) for number in range(total)]
        self._volumes = self.encoded(makers, progress)

    def encoded(
        self, makers: Sequence[Callable[[], ClassVolume]], progress: Progress
    ) -> list[PatchVolume]:
        """The volumes to cut patches from, each process encoding some of them."""
        processes = self._processes
        shares = parts_of(progress, len(makers))
        for number in range(processes.index, len(makers), processes.count):
            self.features(makers[number](), shares[number])
        processes.wait()
        made = []
        for make in makers:
            volume = make()
            features, windows = self.features(volume, no_progress)
            made.append(PatchVolume(features, windows, volume.classes_kji))
        return made

    def batches(self, first: int, stride: int) -> Generator[Patches, None, None]:
        """See `Task.batches`."""
        settings = self._settings
        for number in count(first, stride):
            seed = (settings.seed, number)
            yield make_patches(self._volumes, settings.batch, settings.foreground_share, seed)

    def backward(self, batch: Patches, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`; it is deterministic."""
        with autocast(self._processes.device, self._half):
            answers = self.decoder.supervised(batch.features.float())
        loss = supervised_loss(answers, batch.classes)
        (loss * weight).backward()
        return {"loss": loss.detach()}

    def state(self) -> dict[str, Tensor]:
        """See `Task.state`; only the decoder's."""
        state: dict[str, Tensor] = self.decoder.state_dict()
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Task.restore`."""
        self.decoder.load_state_dict(state)

    def validate(self, progress: Progress) -> dict[str, float]:
        """The mean Dice of each class over the held-back volumes that contain it, and the mean."""
        names = self._facts.classes
        dices: dict[str, list[float]] = {name: [] for name in names}
        self._found = []
        shares = parts_of(progress, 2 * len(self._scored))
        for place, volume in enumerate(self._scored):
            labelled = class_volume(volume, names)
            features, windows = self.features(labelled, shares[2 * place])
            shape = shape_triple(labelled.classes_kji.shape)
            scores = class_scores(self.decoder, features, windows, shape, shares[2 * place + 1])
            answer = scores.argmax(axis=0).astype(np.uint8)
            self._found.append(answer)
            for number, name in enumerate(names, 1):
                truth = labelled.classes_kji == number
                if truth.any():
                    dices[name].append(dice(truth, answer == number))
        means = {name: float(np.mean(values)) for name, values in dices.items() if values}
        each = {f"dice_{name}": value for name, value in means.items()} if len(names) > 1 else {}
        # If no held-back volume contains a known class, there is nothing to score.
        return {"dice": float(np.mean(list(means.values())) if means else 0.0), **each}

    def draw(self, path: Path, title: str) -> None:
        """Draw the first held-back volume: ground truth dashed, predictions in class colours."""
        if not self._found:
            return
        volume = self._scored[0]
        truth = class_volume(volume, self._facts.classes).classes_kji
        outlines = []
        for number, name in enumerate(self._facts.classes, 1):
            colour = object_colour(number - 1)
            reference = Outline.from_mask(f"{name}, truth", truth == number, colour, dashed=True)
            outlines += [reference, Outline.from_mask(name, self._found[0] == number, colour)]
        scene = Scene(volume.image, outlines)
        write_picture(draw_panels(scene, panels_through(scene), title), path)

    def write(self, path: Path) -> None:
        """See `Task.write`."""
        sam3d_weights.save(self.decoder, self._facts, path, manifest(self._training))

    def predicted_bytes(self) -> int:
        """See `Task.predicted_bytes`; includes the base."""
        return self.bytes_with(self._settings.batch)

    def bytes_with(self, patches: int) -> int:
        """The predicted peak memory if `patches` are held for the backward pass at once."""
        settings, base = self._settings, self._base.runtime.config
        in_blocks: int = sum(12 * block.dim**2 for block in base.blocks)
        base_weights = in_blocks + _OTHER_BASE_WEIGHTS
        weights = sum(int(p.numel()) for p in self.decoder.parameters())
        saved = saved_bytes(self.decoder.config, patches, settings.depth, settings.patch)
        kept = saved * _BACKWARD_FACTOR / (2 if self._half else 1)
        return 4 * base_weights + weights * _BYTES_PER_WEIGHT + int(kept) + _WORKING_BYTES

    def variant(self, number: int) -> ClassVolume:
        """One of all variants of all volumes; the first of each volume is unchanged."""
        place, variant = divmod(number, self._settings.variants)
        plain = class_volume(self._training[place], self._facts.classes)
        if variant == 0:
            return plain
        rng = np.random.default_rng((self._settings.seed, place, variant))
        return augmented(plain, self._settings.patch, rng)

    def features(self, volume: ClassVolume, progress: Progress) -> tuple[list[Features], PatchGrid]:
        """The features of each image, from disk if they are stored there, and their windows."""
        settings = self._settings
        shape = shape_triple(volume.classes_kji.shape)
        windows = PatchGrid.covering(shape, settings.patch, settings.depth, settings.overlap)
        features = [
            embeddings(self._base, image, scores, windows, self._files, share)
            for image, scores, share in zip(
                volume.images_kji,
                volume.scores,
                parts_of(progress, len(volume.images_kji)),
                strict=True,
            )
        ]
        return features, windows


def saved_bytes(config: Sam3dConfig, batch: int, depth: int, patch: int) -> int:
    """The bytes that a step in 32 bits keeps for the backward pass, counted on meta tensors."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    decoder = decoder_on_meta(config)
    places = patch // 16
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = torch.zeros(batch, config.channels, depth, places, places, device="meta")
        labels = torch.zeros(batch, depth, patch, patch, dtype=torch.int64, device="meta")
        supervised_loss(decoder.supervised(features), labels)
    for weight in decoder.parameters():
        kept.pop(weight.untyped_storage()._cdata, None)
    return sum(int(tensor.untyped_storage().nbytes()) for tensor in kept.values())
