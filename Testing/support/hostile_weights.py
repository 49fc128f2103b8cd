"""Files of weights with another payload than their training gave them."""

from __future__ import annotations

import json

import numpy as np

_TYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64}


def with_payload(content: bytes, kind: str, seed: int = 0) -> bytes:
    """A safetensors file whose numbers are "nan", "inf", "random", "huge" or "zeros".

    nan and inf: one value of the last tensor alone.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensors = [item for name, item in header.items() if name != "__metadata__"]
    start, changed = 8 + length, bytearray(content)
    rng = np.random.default_rng(seed)
    for item in tensors:
        dtype, (first, stop) = _TYPES[item["dtype"]], item["data_offsets"]
        values = np.frombuffer(content[start + first : start + stop], dtype).copy()
        match kind:
            case "random":
                values = rng.normal(size=values.shape).astype(dtype)
            case "huge":
                values[:] = np.finfo(dtype).max
            case "zeros":
                values[:] = 0
            case _ if item is tensors[-1]:
                values[-1] = float(kind)
        changed[start + first : start + stop] = values.tobytes()
    return bytes(changed)
