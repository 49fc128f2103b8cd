"""Hierarchical merging of the regions of an image."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adjacency import label_boxes, touching_pairs


class Merging:
    """A binary tree of regions, built by merging the two most similar neighbours (Ward's cost)."""

    def __init__(self, image: NDArray[np.uint8], first: NDArray[Any]) -> None:
        flat, values = first.ravel(), image.ravel().astype(np.float64)
        self.leaves = int(flat.max()) + 1
        size = np.bincount(flat, minlength=self.leaves)
        total = np.bincount(flat, values, self.leaves)
        square = np.bincount(flat, values**2, self.leaves)
        self.size, self.total, self.square = size.tolist(), total.tolist(), square.tolist()
        self.boxes = label_boxes(first, self.leaves).tolist()
        self.children: list[tuple[int, int]] = []
        self.faces: list[dict[int, int]] = [{} for _ in range(self.leaves)]
        pairs, faces = touching_pairs(first)
        for (a, b), n in zip(pairs.tolist(), faces.tolist(), strict=True):
            self.faces[a][b] = self.faces[b][a] = n

    def mean(self, node: int) -> float:
        """The mean intensity of a region."""
        return float(self.total[node] / self.size[node])

    def spread(self, node: int) -> float:
        """The standard deviation of the intensities of a region."""
        variance = self.square[node] / self.size[node] - self.mean(node) ** 2
        return float(max(variance, 0) ** 0.5)

    def merge_all(self) -> None:
        """Merge until one region is left."""
        is_merged = [False] * self.leaves
        queue = [
            (self._cost(a, b), a, b) for a in range(self.leaves) for b in self.faces[a] if a < b
        ]
        heapq.heapify(queue)
        while queue:
            _, a, b = heapq.heappop(queue)
            if is_merged[a] or is_merged[b]:
                continue
            new = self._join(a, b)
            is_merged[a] = is_merged[b] = True
            is_merged.append(False)
            for other in self.faces[new]:
                heapq.heappush(queue, (self._cost(other, new), other, new))

    def leaf_order(self) -> list[int]:
        """The leaves from left to right."""
        order, stack = [], [len(self.size) - 1]
        while stack:
            node = stack.pop()
            if node < self.leaves:
                order.append(node)
            else:
                stack.extend(self.children[node - self.leaves])
        return order

    def _cost(self, a: int, b: int) -> float:
        size = self.size[a] * self.size[b] / (self.size[a] + self.size[b])
        # The square root keeps large regions of even intensity longer than small specks.
        return float(size**0.5 * (self.mean(a) - self.mean(b)) ** 2)

    def _join(self, a: int, b: int) -> int:
        new = len(self.size)
        self.size.append(self.size[a] + self.size[b])
        self.total.append(self.total[a] + self.total[b])
        self.square.append(self.square[a] + self.square[b])
        box, other_box = self.boxes[a], self.boxes[b]
        low = [min(x, y) for x, y in zip(box[:3], other_box[:3], strict=True)]
        self.boxes.append(low + [max(x, y) for x, y in zip(box[3:], other_box[3:], strict=True)])
        self.children.append((a, b))
        joined: dict[int, int] = {}
        for old in (a, b):
            for other, n in self.faces[old].items():
                if other not in (a, b):
                    joined[other] = joined.get(other, 0) + n
                    del self.faces[other][old]
            self.faces[old] = {}
        self.faces.append(joined)
        for other, n in joined.items():
            self.faces[other][new] = n
        return new
