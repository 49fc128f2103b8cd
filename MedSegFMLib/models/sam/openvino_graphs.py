"""SAM's encoder and decoder as OpenVINO graphs, stored beside the weights they were made from.

Converting them takes longer than reading them, so they are made once on each computer:
`<weights>.<first 8 of their SHA-256>.graph.<part>.xml` and `.bin`, each with its own SHA-256 beside
it. If that folder cannot be written to, nothing is stored.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OutputError, WeightsError
from ...progress import Progress
from ...weights.checksums import derived_files, record, recorded, sha256_of
from ..common.openvino_cpu import core, quiet_openvino
from .network.config import CHANNELS, IMAGE_SIDE

if TYPE_CHECKING:
    from torch import Tensor, nn

_PHRASE = "Preparing the network for this computer (once)"
# Incremented when the result of `SamDecoder` changes, so that older graphs are not used.
_DECODER = "decoder-1"
_ENCODER = f"encoder-{IMAGE_SIDE}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The file of a network and the SHA-256 that it had when it was read."""

    path: Path
    sha256: str


def encoder_graph(encoder: nn.Module, source: Source, progress: Progress) -> Any:
    """The graph of a `SamEncoder` for one image of 1024 by 1024, read from disk or converted."""
    import torch

    return _kept_or_made(
        _ENCODER, encoder, lambda: (torch.zeros(1, 3, IMAGE_SIDE, IMAGE_SIDE),), source, progress
    )


def decoder_graph(decoder: nn.Module, source: Source, progress: Progress) -> Any:
    """The graph of a `SamDecoder` for inputs of any shape, read from disk or converted."""
    import torch

    def examples() -> tuple[Tensor, ...]:
        # No size is 1 or occurs twice, so that tracing takes none of them for a constant.
        image = torch.zeros(1, CHANNELS, 6, 5)
        return image.expand(2, -1, -1, -1), image, torch.zeros(2, 3, CHANNELS)

    return _kept_or_made(_DECODER, decoder, examples, source, progress)


def _kept_or_made(
    part: str,
    module: nn.Module,
    examples: Callable[[], tuple[Tensor, ...]],
    source: Source,
    progress: Progress,
) -> Any:
    name = f"{source.path.name}.{source.sha256[:8]}.graph.{part}.xml"
    kept = source.path.with_name(name)
    graph = _read(kept)
    if graph is None:
        progress(0.0, _PHRASE)
        graph = made(module, examples())
        progress(0.8, _PHRASE)
        _keep(graph, kept, source.path)
        progress(1.0, _PHRASE)
    return graph


def made(module: nn.Module, examples: tuple[Tensor, ...]) -> Any:
    """A module as a graph, traced with the examples."""
    import torch

    openvino = quiet_openvino()
    with torch.inference_mode(), warnings.catch_warnings():
        # Tracing warns of each Python number that becomes a constant, which is intended.
        warnings.simplefilter("ignore")
        return openvino.convert_model(module, example_input=examples)


def _read(path: Path) -> Any | None:
    """The stored graph; None if there is none or it is damaged."""
    try:
        if any(recorded(file) != sha256_of(file) for file in (path, path.with_suffix(".bin"))):
            return None
        return core().read_model(path)
    except (WeightsError, RuntimeError) as error:
        _log.info("There is no usable graph %s: %s", path, error)
        return None


def _keep(graph: Any, path: Path, weights: Path) -> None:
    """Store a graph and remove those of other weights; log and continue if that fails."""
    try:
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as temporary:
            written = Path(temporary) / path.name
            quiet_openvino().save_model(graph, written, compress_to_fp16=False)
            digest = path.name.removeprefix(weights.name)[:9]
            for stale in derived_files(weights):
                if not stale.name.startswith(weights.name + digest):
                    with suppress(OSError):
                        stale.unlink()
            for file in (written.with_suffix(".bin"), written):
                record(path.with_name(file.name), sha256_of(file))
                file.replace(path.with_name(file.name))
    except (OSError, RuntimeError, OutputError, WeightsError) as error:
        _log.info("The network prepared for this computer is not stored: %s", error)
