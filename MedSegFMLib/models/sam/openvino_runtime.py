"""SAM's network on the CPU: OpenVINO if it is faster, torch for the rest."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, no_progress, part_of
from ...segmenter import Logits
from ...system.foreign_errors import predicting_errors
from ..common.openvino_cpu import Precision, core, settings
from .network.config import IMAGE_SIDE
from .openvino_graphs import Source, decoder_graph, encoder_graph
from .torch_runtime import TorchSamRuntime

if TYPE_CHECKING:
    from torch import Tensor

    from .network.network import Sam

# Compiled decoders are cached for this many sizes: three planes, before and after a growth.
_MOST_SIZES = 6

# The fraction of the first call's time that preparing the network takes.
_PREPARING = 0.3


class OpenVinoSamRuntime(TorchSamRuntime):
    """The `SamRuntime` with compiled graphs for the decoder and the encoder of 1024 by 1024.

    Images of other sizes are encoded by torch: compiling a graph for each size would take longer
    than it saves.

    Args:
        network: The network.
        source: The file of the network; graphs are stored beside it.
        model: The model name in error messages.
        precision: The precision of the encoder of 1024 by 1024.
    """

    def __init__(
        self, network: Sam, source: Source, model: str = "sam", precision: Precision = "f32"
    ) -> None:
        import torch

        super().__init__(network, torch.device("cpu"), model)
        self._source, self._precision = source, precision
        self._core = core()
        self._encoding: Any = None
        self._decoder_graph: Any = None
        self._decoding: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def encode(self, images: NDArray[np.float32], progress: Progress) -> list[NDArray[np.float32]]:
        """See `SamRuntime.encode`; the first call prepares the network."""
        large = images.shape[2:] == (IMAGE_SIDE, IMAGE_SIDE)
        if self._decoder_graph is not None and (self._encoding is not None or not large):
            return super().encode(images, progress)
        self._prepare(large, part_of(progress, 0.0, _PREPARING))
        return super().encode(images, part_of(progress, _PREPARING, 1.0))

    def _prepare(self, large: bool, progress: Progress) -> None:
        """Prepare the decoder's graph and, if `large`, the encoder of 1024 by 1024."""
        with predicting_errors(self._model):
            if self._decoder_graph is None:
                share = part_of(progress, 0.0, 0.2)
                self._decoder_graph = decoder_graph(self._decoder, self._source, share)
            if large and self._encoding is None:
                graph = encoder_graph(self._encoder, self._source, part_of(progress, 0.2, 1.0))
                compiled = self._core.compile_model(graph, "CPU", settings(self._precision))
                self._encoding = compiled.create_infer_request()

    def _encoded(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        if images.shape[2:] != (IMAGE_SIDE, IMAGE_SIDE):
            return super()._encoded(images)
        request = self._encoding
        return np.concatenate([request.infer([image[None]])[0] for image in images])

    def _decoded(
        self, features: NDArray[np.float32], positions: Tensor, tokens: Tensor
    ) -> tuple[Logits, Logits]:
        request = self._decoder_of(features)
        answer = request.infer([features, positions.numpy(), tokens.numpy()])
        return answer[0], answer[1]

    def _decoder_of(self, features: NDArray[np.float32]) -> Any:
        """The decoder compiled for features of this height and width, and any number of them."""
        size = (features.shape[2], features.shape[3])
        if size not in self._decoding:
            self._prepare(False, no_progress)
            graph = self._decoder_graph.clone()
            channels = features.shape[1]
            shapes = [[-1, channels, *size], [1, channels, *size], [-1, -1, channels]]
            graph.reshape(dict(zip(graph.inputs, shapes, strict=True)))
            compiled = self._core.compile_model(graph, "CPU", settings("f32"))
            self._decoding[size] = compiled.create_infer_request()
            if len(self._decoding) > _MOST_SIZES:
                self._decoding.popitem(last=False)
        self._decoding.move_to_end(size)
        return self._decoding[size]
