"""Adjacency and bounding boxes of the labels of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def touching_pairs(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n, 2) pairs of different labels that share a face, the lower first, and numbers of faces."""
    count = int(labels.max()) + 1
    keys = []
    for axis in range(3):
        a = labels.take(range(labels.shape[axis] - 1), axis).astype(np.int64).ravel()
        b = labels.take(range(1, labels.shape[axis]), axis).astype(np.int64).ravel()
        differ = a != b
        low, high = np.minimum(a[differ], b[differ]), np.maximum(a[differ], b[differ])
        keys.append(low * count + high)
    unique, faces = np.unique(np.concatenate(keys), return_counts=True)
    return np.stack([unique // count, unique % count], 1), faces.astype(np.int64)


def label_boxes(labels: NDArray[Any], count: int) -> NDArray[np.int16]:
    """(count, 6) half-open boxes (start kji, stop kji) of labels 0 to count - 1; none is empty."""
    boxes = np.empty((count, 6), np.int16)
    flat = labels.ravel()
    for axis in range(3):
        shape = [1, 1, 1]
        shape[axis] = -1
        along = np.arange(labels.shape[axis], dtype=np.int16).reshape(shape)
        along = np.broadcast_to(along, labels.shape).ravel()
        low = np.full(count, labels.shape[axis], np.int16)
        high = np.full(count, -1, np.int16)
        np.minimum.at(low, flat, along)
        np.maximum.at(high, flat, along)
        boxes[:, axis], boxes[:, 3 + axis] = low, high + 1
    return boxes


def outer_faces(labels: NDArray[Any], count: int) -> NDArray[np.int64]:
    """(count,) number of faces of each label on the border of the image."""
    ends = [labels.take(side, axis).ravel() for axis in range(3) for side in (0, -1)]
    return np.bincount(np.concatenate(ends), minlength=count)
