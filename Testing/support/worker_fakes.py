"""Run as a script: a worker whose models misbehave, each in a way of its own.

Each takes options: `until`, a file, or `seconds` that it takes, else it goes on for longer than
any test; `once`, a file that is made when it misbehaves, after which it behaves; `log`, a file that
gets a line at each prediction. A model that behaves answers with the inside of its box.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from MedSegFMLib import registry
from MedSegFMLib.errors import DeviceError, WeightsError
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.progress import Progress

Trouble = Callable[[Progress, dict[str, object]], None]


class OutOfMemoryError(RuntimeError):
    """As torch's own."""


def hold(options: dict[str, object], each: Callable[[], None] = lambda: None) -> None:
    """Go on as long as the options say."""
    end = time.monotonic() + float(options.get("seconds", 3600))
    until = options.get("until")
    while time.monotonic() < end and not (until and Path(str(until)).exists()):
        each()
        time.sleep(0.002)


def loops(progress: Progress, options: dict[str, object]) -> None:
    hold(options, lambda: progress(0.5, "going round"))


def sleeps(progress: Progress, options: dict[str, object]) -> None:
    hold(options)


def dies(progress: Progress, options: dict[str, object]) -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def raises(progress: Progress, options: dict[str, object]) -> None:
    raise ZeroDivisionError("the model has a bug")


def prints(progress: Progress, options: dict[str, object]) -> None:
    for _ in range(50):
        print("\x89MSF a library prints")
        os.write(1, b"\x89MSF from C\n" * 10)
        ctypes.CDLL(None).puts(b"\x89MSF by puts")
    subprocess.run([sys.executable, "-c", "import sys; print(sys.stdin.read(), 'child')"])
    input_ended = sys.stdin.read() == ""
    assert input_ended


def garbles(progress: Progress, options: dict[str, object]) -> None:
    """What only a debugger, or a library that guesses descriptors, could do."""
    print("the stream is about to break", file=sys.stderr, flush=True)
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"garbage" * 100)
        except OSError:
            continue


def starts_a_child(progress: Progress, options: dict[str, object]) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    Path(str(options["child"])).write_text(str(child.pid))
    loops(progress, options)


def no_weights(progress: Progress, options: dict[str, object]) -> None:
    raise WeightsError("No trained weights of tiny are installed; import them.")


def gpu_full(progress: Progress, options: dict[str, object]) -> None:
    if options["device"] != "cpu":
        try:
            raise OutOfMemoryError("CUDA out of memory")
        except OutOfMemoryError as error:
            raise DeviceError("The GPU has no memory left.") from error


def behaves(progress: Progress, options: dict[str, object]) -> None:
    pass


class Fake(ellipsoid.Ellipsoid):
    def __init__(self, trouble: Trouble, options: dict[str, object]) -> None:
        self.trouble = trouble
        self.options = options

    def predict(self, encoding, prompts, previous, progress):  # type: ignore[no-untyped-def]
        if "log" in self.options:
            with Path(self.options["log"]).open("a") as log:
                log.write("predicts\n")
        once = self.options.get("once")
        if once is None or not Path(once).exists():
            if once is not None:
                Path(once).touch()
            self.trouble(progress, self.options)
        return super().predict(encoding, prompts, previous, progress)


def register(name: str, trouble: Trouble, while_loading: bool, goes_on: bool = False) -> None:
    module = types.ModuleType(f"fake_{name}")
    card = replace(ellipsoid.CARD, name=name, uses_previous=goes_on)

    def create(device: str = "auto", **options: object) -> Fake:
        fake = Fake(behaves if while_loading else trouble, {**options, "device": device})
        fake.card = card
        once = options.get("once")
        if while_loading and (once is None or not Path(str(once)).exists()):
            if once is not None:
                Path(str(once)).touch()
            trouble(lambda fraction, phrase: None, dict(options))
        return fake

    module.CARD, module.create = card, create  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    registry.MODELS[name] = module.__name__


def main() -> None:
    for trouble in (behaves, loops, sleeps, dies, raises, prints, garbles, starts_a_child):
        register(trouble.__name__, trouble, while_loading=False)
    for trouble in (no_weights, gpu_full):
        register(trouble.__name__, trouble, while_loading=False)
    register("loads_slowly", sleeps, while_loading=True)
    register("dies_loading", dies, while_loading=True)
    register("goes_on", loops, while_loading=False, goes_on=True)
    torch = types.SimpleNamespace(
        OutOfMemoryError=OutOfMemoryError,
        empty_cache=lambda: None,
        is_initialized=lambda: False,
    )
    sys.modules["torch"] = types.SimpleNamespace(cuda=torch)  # type: ignore[assignment]
    if "FAKE_WORKER_WAITS_FOR" in os.environ:
        hold({"until": os.environ["FAKE_WORKER_WAITS_FOR"]})
    if "FAKE_WORKER_DIES_STARTING" in os.environ:
        print("no such luck", file=sys.stderr)
        sys.exit(7)
    from MedSegFMLib.worker.server import main as serve

    serve()


if __name__ == "__main__":
    main()
