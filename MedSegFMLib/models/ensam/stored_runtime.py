"""ENSAM's graphs with features on disk: an image that was encoded before is not encoded again."""

from __future__ import annotations

from collections.abc import Sequence

from ...progress import Progress
from ...segmenter import Logits
from ...system import feature_store
from .graph_runtime import GraphFeatures, GraphRuntime
from .network.config import EnsamConfig
from .runtime import Features, NetworkPrompts

_SCALE = "scale_kji"


class StoredRuntime:
    """The `Runtime` around another one whose features are arrays.

    Args:
        runtime: The runtime that encodes and decodes.
        identity: See `feature_store.key_of`.

    Attributes:
        runtime: The same; its features are not stored.
    """

    def __init__(self, runtime: GraphRuntime, identity: str) -> None:
        self.runtime = runtime
        self._identity = identity

    @property
    def config(self) -> EnsamConfig:
        """The network's configuration."""
        return self.runtime.config

    def encode(
        self, image: Logits, spacing_kji_mm: Sequence[float], progress: Progress
    ) -> GraphFeatures:
        """See `Runtime.encode`."""
        store = feature_store.active()
        if store is None:
            return self.runtime.encode(image, spacing_kji_mm, progress)
        key = feature_store.key_of(self._identity, image, *map(float, spacing_kji_mm))
        arrays = store.get(key)
        if arrays is not None and _SCALE in arrays:
            progress(1.0, "Encoding the image")
            return GraphFeatures(arrays, arrays.pop(_SCALE))
        features = self.runtime.encode(image, spacing_kji_mm, progress)
        store.put({key: {**features.inputs, _SCALE: features.scale_kji}})
        return features

    def decode(
        self,
        features: Features,
        prompts: NetworkPrompts,
        previous_logits: Logits | None,
        progress: Progress,
    ) -> Logits:
        """See `Runtime.decode`."""
        return self.runtime.decode(features, prompts, previous_logits, progress)
