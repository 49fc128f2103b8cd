"""Run as a script: a training that tells events and learns nothing.

    python fake_training.py MODE out=FOLDER cases=CASES.json held_back=NAME steps=N …

MODE: "better" or "worse" train quickly, "slow" until its input ends, "deaf" whatever happens,
"fails" tells an error, "dies" ends without a word of its own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_STATE = "state.json"


@dataclass(frozen=True)
class FakeProgram:
    """Starts this script in one of its modes."""

    mode: str
    settings: Mapping[str, object]

    def arguments(self) -> list[str]:
        words = [f"{key}={value}" for key, value in self.settings.items()]
        return [sys.executable, __file__, self.mode, *words]

    def environment(self) -> Mapping[str, str]:
        return os.environ


def tell(**event: object) -> None:
    print(json.dumps(event), flush=True)


def main(mode: str, settings: dict[str, str]) -> int:
    folder, steps = Path(settings["out"]), int(settings["steps"])
    cases = json.loads(Path(settings["cases"]).read_text(encoding="utf-8"))["cases"]
    assert settings["held_back"] in [case["name"] for case in cases]
    folder.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    state = folder / _STATE
    first = json.loads(state.read_text(encoding="utf-8")) if state.exists() else 0
    for step in range(first, steps):
        tell(fraction=step / steps, phrase=f"step {step + 1} of {steps}, loss {1 / (step + 2):.2f}")
        if mode == "fails" and step - first > 1:
            tell(error="The loss is not finite at step 3; lower rate=.")
            return 2
        if mode == "dies" and step - first > 1:
            print("no memory left", file=sys.stderr)
            return 9
        if ended.wait(0.05 if mode in ("slow", "deaf") else 0.005) and mode != "deaf":
            state.write_text(json.dumps(step))
            return 130
        if mode == "deaf" and ended.is_set():
            time.sleep(3600)
    gain = -0.08 if mode == "worse" else 0.08
    report = {
        "before": {"dice": 0.801, "agreement": 0.70},
        "after": {"dice": 0.801 + gain, "agreement": 0.70 + gain / 2},
        "held_back": [settings["held_back"]],
    }
    adapter = folder / "adapter"
    adapter.mkdir(exist_ok=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"adapter")
    tell(result=str(adapter), report=report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])))
