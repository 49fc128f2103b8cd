"""Memory that a worker on the same Linux computer maps instead of receiving a copy.

It is an anonymous file that the worker opens through /proc: it has no name that could be left
behind, and is gone with the last process that has it, however that ends. Elsewhere volumes go
through the pipe, which is as quick; what is saved here is the sending to a worker that takes over.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WorkerError

Array = NDArray[Any]

_WRITE_BYTES = 1 << 24


class SharedCopy:
    """A copy of an array's bytes; `address` is what the other process opens it by.

    It is freed with the last reference to it. Raises OSError where there is no room, or no memory
    of this kind.
    """

    def __init__(self, array: Array) -> None:
        if sys.platform != "linux":
            raise OSError("Volumes are shared on Linux alone.")
        octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        descriptor = os.memfd_create("medsegfm-volume")
        weakref.finalize(self, os.close, descriptor)
        done = 0
        while done < len(octets):
            done += os.write(descriptor, octets[done : done + _WRITE_BYTES])
        self.address: Mapping[str, Any] = {"path": f"/proc/{os.getpid()}/fd/{descriptor}"}


def open_shared(address: Mapping[str, Any], dtype: str, shape: Sequence[int]) -> Array:
    """The array behind an address; what is written to it stays in this process.

    Raises WorkerError where it cannot be reached or has another size.
    """
    try:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        with Path(address["path"]).open("rb") as file:
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        array: Array = np.frombuffer(mapping, dtype).reshape(shape)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WorkerError(f"The volume's shared memory cannot be opened ({error}).") from error
    return array
