"""The random walker with priors on a grid of cells."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...volumes.pooling import Floats
from ...volumes.region import Shape
from .settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class Graph:
    """The Laplacian of the graph that joins each cell to its six neighbours.

    Attributes:
        laplacian: (n, n) float32, n cells in array order.
        diagonal: (n,) float32, its diagonal.
    """

    laplacian: csr_matrix
    diagonal: Floats


def make_graph(fine: Floats, relative: NDArray[np.float64], settings: Settings) -> Graph:
    """The graph of a grid of cells; its weights are small across edges of the image.

    Args:
        fine: The intensities of the cells.
        relative: For each axis the finest cell width divided by its own; distant neighbours count
            less.
        settings: The settings of the method.
    """
    squares = [np.diff(fine, axis=axis) ** 2 for axis in range(3)]
    mean = sum(float(s.sum()) for s in squares) / max(sum(s.size for s in squares), 1) + 1e-8
    weights = [
        np.exp(-settings.edge_beta * square / mean) * relative[axis] ** 2 + 1e-4
        for axis, square in enumerate(squares)
    ]
    return _laplacian([w.astype(np.float32) for w in weights], fine.shape)


def random_walk(graph: Graph, logits: Floats, trust: float, settings: Settings) -> Floats:
    """Logits that agree with their neighbours, by conjugate gradients from the given ones.

    Args:
        graph: The graph of the cells.
        logits: The given logits.
        trust: The weight of the given logits against smoothness (gamma).
        settings: The settings of the method.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    n = logits.size
    given = np.tanh(0.5 * logits).astype(np.float32).ravel()
    diagonal = graph.diagonal + np.float32(trust)
    operator = LinearOperator(
        (n, n), lambda x: graph.laplacian @ x + np.float32(trust) * x, dtype=np.float32
    )
    precondition = LinearOperator((n, n), lambda x: x / diagonal, dtype=np.float32)
    field, _ = cg(
        operator,
        np.float32(trust) * given,
        given,
        rtol=1e-3,
        maxiter=settings.solver_rounds,
        M=precondition,
    )
    return np.asarray(4 * field.reshape(logits.shape), dtype=np.float32)


def _laplacian(weights: list[Floats], shape: Shape) -> Graph:
    """The graph of edge weights; weights[a] joins cells to their next along axis a, one fewer."""
    from scipy.sparse import dia_matrix

    n = prod(shape)
    diagonal = np.zeros(shape, dtype=np.float32)
    bands, offsets = [], []
    for axis, weight in enumerate(weights):
        if shape[axis] == 1:
            continue
        stride = prod(shape[axis + 1 :])
        width = [(0, 1) if a == axis else (0, 0) for a in range(3)]
        to_next = np.pad(weight, width)
        diagonal += to_next + np.roll(to_next, 1, axis)
        bands += [-to_next.ravel(), -np.roll(to_next.ravel(), stride)]
        offsets += [-stride, stride]
    data = np.stack([diagonal.ravel(), *bands])
    return Graph(dia_matrix((data, [0, *offsets]), shape=(n, n)).tocsr(), diagonal.ravel())
