"""SAM3D's decoder with agreement between slices along the three axes, as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ....consistency.agreement import agreement
from ....consistency.intersection import intersection_of_object
from ....consistency.measure import plane_axes
from ....errors import TrainingError
from ....models.sam3d.decoding import class_scores
from ....models.sam3d.patches import ZScores
from ....progress import Progress, part_of, parts_of
from ....volumes.region import shape_triple
from ...agreement import Agreement
from ...distributed import Processes
from ...labelled_volumes import LabelledVolume
from ...precision import autocast
from ..consistent.unlabelled import open_unlabelled
from ..sam3d.patches import Patches
from ..sam3d.task import Sam3dTask
from ..sam3d.volumes import ClassVolume, class_volume
from .axis_views import STRAIGHT, TURNED, AxisView, Order, meeting_answers, turned_volume
from .settings import ConsistentSam3dSettings

# Parts of the progress: features along the first axis, and Dice.
_FIRST_AXIS = 0.3
_DICE = 0.3


class ConsistentSam3dTask(Sam3dTask):
    """The task of the recipe `sam3d`, whose volumes are also encoded along their other axes."""

    def __init__(self, settings: ConsistentSam3dSettings, processes: Processes) -> None:
        super().__init__(settings, processes)
        self._consistent = settings
        self._agreement = Agreement(
            settings.compared, settings.sharpness, settings.margin, settings.certainty
        )
        self._views: list[list[AxisView]] = []
        self._unlabelled: list[list[AxisView]] = []

    def prepare(self, progress: Progress, brief: bool) -> None:
        """Compute the features along the first axis, then along the others if they count."""
        super().prepare(part_of(progress, 0.0, _FIRST_AXIS), brief)
        settings = self._consistent
        if not settings.consistency:
            return
        labelled, shown = parts_of(part_of(progress, _FIRST_AXIS, 1.0), 2)
        makers = [partial(self.variant, number) for number in range(len(self._volumes))]
        others = self._turned(makers, TURNED, labelled)
        self._views = [
            [AxisView(STRAIGHT, straight), *turned]
            for straight, turned in zip(self._volumes, others, strict=True)
        ]
        if settings.unlabelled is not None:
            volumes = self._without_labels()[: 1 if brief else None]
            makers = [partial(_same, volume) for volume in volumes]
            self._unlabelled = self._turned(makers, (STRAIGHT, *TURNED), shown)

    def backward(self, batch: Patches, number: int, weight: float) -> dict[str, Tensor]:
        """See `Task.backward`: the labelled loss first, then the agreement, patch by patch.

        The agreement of volumes without labels is never trained without a labelled batch beside it:
        a constant answer satisfies it.
        """
        values = super().backward(batch, number, weight)
        values |= {"segmentation_loss": values["loss"]}
        share = self._consistent.share_after(number * self.samples)
        if not share:
            return values
        rng = np.random.default_rng((self._consistent.seed, number, 1))
        seen = [("intersection_loss", self._views, share)]
        if self._unlabelled:
            own = share * self._consistent.unlabelled_weight
            seen.append(("unlabelled_loss", self._unlabelled, own))
        for name, volumes, own in seen:
            values[name] = self._agree(volumes, own * weight, rng)
            values["loss"] = values["loss"] + own * values[name]
        return values

    def validate(self, progress: Progress) -> dict[str, float]:
        """Dice as in the recipe `sam3d`, and the agreement of the three axes, as of three planes.

        "agreement" is the mean Dice of the masks of each pair of axes, 0 for a class that was not
        found; "inconsistency" the term of the paper, the mean over the voxels of a class that was
        found. Both are means over the classes of the held-back volumes.
        """
        scores = super().validate(part_of(progress, 0.0, _DICE))
        shares = parts_of(part_of(progress, _DICE, 1.0), len(self._scored))
        agreements, prices = [], []
        for volume, answer, share in zip(self._scored, self._found, shares, strict=True):
            by_axis = self._along_each_axis(volume, share)
            axes = plane_axes(volume.image.geometry)
            for number in range(1, len(self._facts.classes) + 1):
                mask = answer == number
                planes = {name: by_axis[axis][number] for name, axis in axes.items()}
                agreed = agreement({name: likely > 0.5 for name, likely in planes.items()})
                agreements.append((agreed or 0.0) * bool(mask.any()))
                price = intersection_of_object(planes, axes, mask)
                prices += [price] if price is not None else []
        inconsistency = float(np.mean(prices)) if prices else float("nan")
        return {
            **scores,
            "agreement": float(np.mean(agreements)),
            "inconsistency": inconsistency,
        }

    def predicted_bytes(self) -> int:
        """See `Task.predicted_bytes`: a batch, or the two patches that are compared."""
        return self.bytes_with(max(2, self._consistent.batch))

    def _agree(
        self, volumes: Sequence[Sequence[AxisView]], weight: float, rng: np.random.Generator
    ) -> Tensor:
        """Add the gradients of the agreement of a batch, one pair of patches after another."""
        settings, device = self._consistent, self._processes.device
        total = torch.zeros((), device=device)
        for _ in range(settings.batch):
            views = volumes[int(rng.integers(len(volumes)))]
            with autocast(device, self._half):
                pair = meeting_answers(self.decoder, views, settings.foreground_share, rng, device)
            price = self._agreement.price(*pair) / settings.batch
            (price * weight).backward()
            total += price.detach()
        return total

    def _turned(
        self,
        makers: Sequence[Callable[[], ClassVolume]],
        orders: Sequence[Order],
        progress: Progress,
    ) -> list[list[AxisView]]:
        """Of each volume, a view in each order."""
        columns = []
        for order, share in zip(orders, parts_of(progress, len(orders)), strict=True):
            turning = [partial(_turned_by, make, order) for make in makers]
            encoded = self.encoded(turning, share)
            columns.append([AxisView(order, patches) for patches in encoded])
        return [list(views) for views in zip(*columns, strict=True)]

    def _without_labels(self) -> list[ClassVolume]:
        """The volumes of `unlabelled`.

        Raises:
            TrainingError: there are none, or the decoder takes several images.
        """
        folder = self._consistent.unlabelled
        assert folder is not None, "asked for only if there are some"
        if self._facts.channels:
            raise TrainingError(
                f"The cases have the images {', '.join(self._facts.channels)}, but a file in "
                f"{folder} is one image; leave out unlabelled=."
            )
        return [
            ClassVolume(
                (volume.array_kji,),
                (ZScores.from_volume(volume.array_kji),),
                np.zeros(volume.array_kji.shape, np.uint8),
            )
            for volume in open_unlabelled(folder).volumes
        ]

    def _along_each_axis(
        self, volume: LabelledVolume, progress: Progress
    ) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        """The probabilities (classes, K, J, I) from slices along each axis of a volume."""
        labelled = class_volume(volume, self._facts.classes)
        shares = parts_of(progress, 6)
        found = []
        for place, order in enumerate((STRAIGHT, *TURNED)):
            turned = turned_volume(labelled, order)
            features, windows = self.features(turned, shares[2 * place])
            shape = shape_triple(turned.classes_kji.shape)
            scores = class_scores(self.decoder, features, windows, shape, shares[2 * place + 1])
            back = [0, *(int(axis) + 1 for axis in np.argsort(order))]
            found.append(np.exp(scores.astype(np.float32)).transpose(back))
        return found


def _same(volume: ClassVolume) -> ClassVolume:
    return volume


def _turned_by(make: Callable[[], ClassVolume], order: Order) -> ClassVolume:
    return turned_volume(make(), order)
