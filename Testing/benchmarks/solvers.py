"""The random walker of `randomwalk` beside a max-flow solver in its place, on real cases.

Run from the checkout, after `pip install PyMaxflow` (GPL, and so no dependency of the project):
PYTHONPATH=. python Testing/benchmarks/solvers.py CASES.json [--voxels 2000000]
Both minimise over the same graph with the same terms; the cut's two labels become logits of -2 and
2. Cases with more voxels than asked for are left out. Seconds are those of the solver alone.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import maxflow
import numpy as np
from scipy.sparse import triu

from MedSegFMLib import create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.errors import CasesError
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Task
from MedSegFMLib.evaluate.run.run_case import run_case
from MedSegFMLib.models.randomwalk import solver as problem
from MedSegFMLib.models.randomwalk.random_walker import Graph, random_walk
from MedSegFMLib.models.randomwalk.settings import Settings
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.pooling import Floats


def cut(graph: Graph, logits: Floats, trust: float, settings: Settings) -> Floats:
    """What `random_walk` does, by a minimum cut."""
    edges = triu(graph.laplacian, k=1).tocoo()
    flow = maxflow.GraphFloat(logits.size, edges.nnz)
    nodes = flow.add_grid_nodes(logits.shape)
    weights = -edges.data.astype(float)
    flow.add_edges(edges.row, edges.col, weights, weights)
    pull = 2 * trust * np.tanh(0.5 * logits)
    flow.add_grid_tedges(nodes, np.maximum(pull, 0), np.maximum(-pull, 0))
    flow.maxflow()
    return np.where(flow.get_grid_segments(nodes), -2, 2).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--voxels", type=int, default=2_000_000)
    arguments = parser.parse_args()
    solvers = {"random walker (conjugate gradients)": random_walk, "max-flow (PyMaxflow)": cut}
    scores: dict[str, list[list[float]]] = {name: [] for name in solvers}
    seconds = dict.fromkeys(solvers, 0.0)
    for case in read_cases(arguments.cases):
        try:
            loaded = load_case(case)
        except CasesError:
            continue
        if loaded.image.array_kji.size > arguments.voxels:
            continue
        for name, solver in solvers.items():

            def timed(*given, solver=solver, name=name):  # type: ignore[no-untyped-def]
                begun = time.perf_counter()
                answer = solver(*given)
                seconds[name] += time.perf_counter() - begun
                return answer

            problem.walk = timed
            asked = Task(case, name, 0)
            rows = run_case(asked, loaded, create("randomwalk"), Protocol(), no_progress)[0]
            for label in dict.fromkeys(row.object for row in rows):
                scores[name].append([row.dsc for row in rows if row.object == label])
    print("| solver | objects | Dice after the box | after five clicks | seconds in all |")
    print("|---|---|---|---|---|")
    for name, held in scores.items():
        means = np.mean(held, axis=0)
        print(f"| {name} | {len(held)} | {means[0]:.3f} | {means[-1]:.3f} | {seconds[name]:.1f} |")


if __name__ == "__main__":
    main()
