"""A model that knows classes by name, and as a script the worker that has it.

It goes under the name of a registered model, so that the panel can choose it: `register()` puts it
there, in the test's process and, when run as a script, in the worker's.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from MedSegFMLib import registry
from MedSegFMLib.errors import PromptError
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.prompts.types import Prompt, Text
from MedSegFMLib.segmenter import Encoding, Prediction
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.worker.launchers import LocalLauncher

NAME = "ellipsoid"
# Each is what lies above so many units.
CLASSES = {"bright": 200, "very bright": 290}
CARD = replace(ellipsoid.CARD, title="Classes", prompts=("text",))


@dataclass(frozen=True)
class _Seen(Encoding):
    voxels: Any = None


class Classes:
    """Answers a text that names one of its classes with what is as bright as that."""

    card = CARD
    classes = tuple(CLASSES)

    def encode(self, volume: Any, region: Region | None, _progress: Any) -> _Seen:
        region = region or Region.whole(volume.geometry.shape_kji)
        voxels = volume.array_kji[region.slices]
        return _Seen(volume.geometry, region, voxels.nbytes, voxels)

    def predict(
        self, encoding: _Seen, prompts: Sequence[Prompt], _previous: Any, _progress: Any
    ) -> Prediction:
        name = next(p.phrase for p in prompts if isinstance(p, Text))
        if name not in CLASSES:
            raise PromptError(f"There is no class '{name}'; the classes are {', '.join(CLASSES)}.")
        logits = np.where(encoding.voxels > CLASSES[name], 5, -5).astype(np.float32)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


@dataclass(frozen=True)
class ClassLauncher(LocalLauncher):
    """Starts the worker below."""

    def arguments(self) -> list[str]:
        return [sys.executable, __file__]


def register(models: Mapping[str, str] = registry.MODELS) -> ModuleType:
    """Put the model under its name, and give the module that is there now."""
    module = ModuleType("class_model_module")
    module.CARD, module.create = CARD, lambda device="auto": Classes()  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    models[NAME] = module.__name__  # type: ignore[index]
    return module


if __name__ == "__main__":
    register()
    from MedSegFMLib.worker.server import main

    main()
