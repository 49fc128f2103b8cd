"""Memory that a worker on the same Linux computer maps instead of receiving a copy.

It is an anonymous file that the worker opens through /proc: it has no name that could remain, and
is released with the last process that uses it, however that ends. On other systems, volumes are
sent through the pipe, which is as fast; sharing saves sending them to a worker that takes over.
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

# Few calls: between two of them, the thread may have to wait for Python's lock.
_WRITE_BYTES = 1 << 30


class SharedCopy:
    """A copy of an array's bytes, freed with the last reference to it.

    Attributes:
        address: the address under which another process opens it.

    Raises:
        OSError: there is not enough memory, or the system does not support this.
    """

    def __init__(self, array: Array) -> None:
        if sys.platform != "linux":
            raise OSError("Volumes are only shared on Linux.")
        octets = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        descriptor = os.memfd_create("medsegfm-volume")
        weakref.finalize(self, os.close, descriptor)
        done = 0
        while done < len(octets):
            done += os.write(descriptor, octets[done : done + _WRITE_BYTES])
        self.address: Mapping[str, Any] = {"path": f"/proc/{os.getpid()}/fd/{descriptor}"}


def open_shared(address: Mapping[str, Any], dtype: str, shape: Sequence[int]) -> Array:
    """The array at an address; changes to it stay in this process.

    Raises:
        WorkerError: it cannot be reached, or has another size.
    """
    try:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        with Path(address["path"]).open("rb") as file:
            mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
        array: Array = np.frombuffer(mapping, dtype).reshape(shape)
    except (OSError, OverflowError, ValueError, TypeError, KeyError) as error:
        raise WorkerError(f"The volume's shared memory cannot be opened ({error}).") from error
    return array
