"""SAM's network by torch and by OpenVINO on the CPU: seconds a slice to encode and to decode.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/sam_runtimes.py [--threads 2]
Random weights with the encoder of ViT-B; a decoding has a box. Each table is a process of its own;
its rows take turns, and each says the median of its turns. `torch / it` compares with the first row
of the table: at 1024 by 1024, torch in float32; of the decoder, segment_anything's own. `ready` is
what a row needs before its first slice, of which OpenVINO's at 1024 by 1024 is kept for the next
time but for the seconds of `again`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = ("encode 1024", "encode 256", "encode 128", "decode 64", "decode 16", "decode 8")

Row = tuple[str, float, int, Callable[[], Any]]
"""Name, seconds until it was ready, slices in one call, and the call."""


def random_network() -> Any:
    """A ViT-B whose weights are all random."""
    import torch

    from MedSegFMLib.models.sam.network.config import PUBLISHED
    from MedSegFMLib.models.sam.network.network import Sam

    torch.manual_seed(0)
    network = Sam(PUBLISHED["vit_b"]).requires_grad_(False)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.normal_(std=0.02)
    return network


def compiled(graph: Any, shapes: list[list[int]], precision: Any = "f32") -> Any:
    """A graph ready to be asked."""
    from MedSegFMLib.models.common.openvino_cpu import quiet_openvino, settings

    graph.reshape(dict(zip(graph.inputs, shapes, strict=True)))
    model = quiet_openvino().Core().compile_model(graph, "CPU", settings(precision))
    return model.create_infer_request()


def encoders(side: int, network: Any) -> list[Row]:
    """Ways to encode slices of a size."""
    import torch

    from MedSegFMLib.models.sam.openvino_graphs import Source, encoder_graph, made
    from MedSegFMLib.progress import no_progress

    def tensors(count: int) -> Any:
        return torch.randn(count, 3, side, side)

    def by_torch(images: Any) -> Callable[[], Any]:
        return lambda: network.encoder(images)

    one = tensors(1)
    rows: list[Row] = [("torch f32", 0.0, 1, by_torch(one))]
    if side < 1024:
        rows.append(("torch f32, 8 at once", 0.0, 8, by_torch(tensors(8))))
        begun = time.perf_counter()
        request = compiled(made(network.encoder, (one,)), [list(one.shape)])
        ready = time.perf_counter() - begun
        return [*rows, ("OpenVINO f32", ready, 1, lambda: request.infer([one.numpy()]))]
    with tempfile.TemporaryDirectory() as folder:
        source = Source(Path(folder) / "random.pth", "0" * 64)
        for precision in ("f32", "f32", "bf16"):
            begun = time.perf_counter()
            graph = encoder_graph(network.encoder, source, no_progress)
            request = compiled(graph, [list(one.shape)], precision)
            ready = time.perf_counter() - begun
            again = ", again" if len(rows) == 2 else ""
            rows.append(
                (
                    f"OpenVINO {precision}{again}",
                    ready,
                    1,
                    lambda request=request: request.infer([one.numpy()]),
                )
            )
    return rows


def decoders(side: int, network: Any) -> list[Row]:
    """Ways to decode slices whose features have so many rows and columns."""
    import torch

    from MedSegFMLib.models.sam.openvino_graphs import made

    decoder, rows = network.decoder, []
    positions = network.image_positions(side, side)
    own = network.prompt_encoder.no_mask_embed.weight.reshape(1, 256, 1, 1)
    features = torch.randn(6, 256, side, side)
    tokens = torch.randn(6, 2, 256)

    def packaged() -> Any:
        dense = own.expand(1, -1, side, side)
        return network.mask_decoder.predict_masks(features[:1], positions, tokens[:1], dense)

    rows.append(("segment_anything, torch f32", 0.0, 1, packaged))
    for count in (1, 6):
        some = (features[:count], positions, tokens[:count])
        many = f", {count} at once" if count > 1 else ""
        rows.append((f"torch f32{many}", 0.0, count, lambda some=some: decoder(*some)))
    begun = time.perf_counter()
    examples = (torch.zeros(2, 256, 6, 5), torch.zeros(1, 256, 6, 5), torch.zeros(2, 3, 256))
    graph = made(decoder, examples)
    request = compiled(graph, [[-1, 256, side, side], [1, 256, side, side], [-1, -1, 256]])
    ready = time.perf_counter() - begun
    for count in (1, 6):
        arrays = [t.numpy() for t in (features[:count], positions, tokens[:count])]
        many = f", {count} at once" if count > 1 else ""
        call = lambda arrays=arrays: request.infer(arrays)  # noqa: E731
        rows.append((f"OpenVINO f32{many}", ready, count, call))
    return rows


def measure(step: str, turns: int, unmeasured: int) -> None:
    """Print the rows of one step; the first turns, which may be slower, can go unmeasured."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with torch.inference_mode():
        what, side = step.split()
        ways = encoders if what == "encode" else decoders
        rows = ways(int(side), random_network())
        seconds: list[list[float]] = [[] for _ in rows]
        for turn in range(unmeasured + turns):
            for (_, _, count, call), held in zip(rows, seconds, strict=True):
                begun = time.perf_counter()
                call()
                if turn >= unmeasured:
                    held.append((time.perf_counter() - begun) / count)
    medians = [statistics.median(held) for held in seconds]
    for (name, ready, _, _), median in zip(rows, medians, strict=True):
        print(
            f"| {step} | {name} | {median * 1e3:.1f} | {medians[0] / median:.1f} | {ready:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", nargs="+", default=STEPS)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--slow-turns", type=int, default=2, help="of encode 1024")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        slow = arguments.one == STEPS[0]
        measure(arguments.one, *((arguments.slow_turns, 0) if slow else (arguments.turns, 1)))
        return

    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads\n")
    print("| step | by | ms a slice | torch / it | ready (s) |")
    print("|---|---|---|---|---|", flush=True)
    for step in arguments.steps:
        words = [sys.executable, __file__, "--one", step, "--turns", str(arguments.turns)]
        words += ["--slow-turns", str(arguments.slow_turns)]
        subprocess.run(words, env=environment, check=True)


if __name__ == "__main__":
    main()
