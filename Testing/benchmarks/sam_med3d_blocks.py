"""The cost of a windowed block of SAM-Med3D's encoder: the package's own, and without the zeros.

Run from the checkout: PYTHONPATH=.:Testing/support python Testing/benchmarks/sam_med3d_blocks.py

Both run in one process, one thread, on the same 8³ tokens of the published width.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from sam_med3d_checkpoints import FULL, random_network

from MedSegFMLib.models.sam_med3d.network import skip_padding


def main() -> None:
    torch.set_num_threads(1)
    encoder = random_network(replace(FULL, depth=1, global_blocks=())).image_encoder
    tokens = torch.randn((1, 8, 8, 8, FULL.dim), generator=torch.Generator().manual_seed(0))
    (block,) = encoder.blocks
    with torch.inference_mode():
        begun = time.process_time()
        wanted = block(tokens)
        package = time.process_time() - begun
        skip_padding(encoder)
        begun = time.process_time()
        found = block(tokens)
        ours = time.process_time() - begun
    difference = float((found - wanted).abs().max() / wanted.abs().max())
    print("| the package's, s | without the zeros, s | ratio | largest relative difference |")
    print("|---|---|---|---|")
    print(f"| {package:.2f} | {ours:.2f} | {package / ours:.0f} | {difference:.0e} |")


if __name__ == "__main__":
    main()
