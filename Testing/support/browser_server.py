"""A server of `medsegfm browser` in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from waiting import GENEROUS_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]


class BrowserServer:
    """Starts the command; `home` holds weights and autosaves.

    program: What Python runs instead of the command, and further variables of its environment.
    link: The address with the token that it prints. port: Its port.
    """

    def __init__(
        self,
        home: Path,
        *words: str,
        keeps: bool = True,
        program: Sequence[str] = ("-m", "MedSegFMLib"),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MEDSEGFM_WEIGHTS": str(home / "weights"),
            **(variables or {}),
        }
        command = [sys.executable, *program, "browser", "--no-open"]
        command += ["--keep"] if keeps else []
        self.process = subprocess.Popen(
            [*command, *words],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.home = home
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: self.port or self.process.poll() is not None, describe=self.output)
        assert self._link(), self.output()

    @property
    def link(self) -> str:
        return self._link()

    @property
    def port(self) -> int:
        found = re.search(r"ssh -L (\d+):", self.output())
        return int(found.group(1)) if found else 0

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    def output(self) -> str:
        return "".join(self.lines)

    def worker_ids(self) -> list[int]:
        """The processes of models that this server has started."""
        found = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [int(line.split()[0]) for line in found.splitlines() if "MedSegFMLib" in line]

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(GENEROUS_SECONDS)

    def kill(self) -> None:
        """As a crash ends it."""
        for number in [*self.worker_ids(), self.process.pid]:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(GENEROUS_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def _link(self) -> str:
        found = re.search(r"^Open (\S+)$", self.output(), re.MULTILINE)
        return found.group(1) if found else ""
