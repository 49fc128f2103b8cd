"""Processes that lead a group of their own and end with all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence


class ProcessTree:
    """A process with pipes, in a session of its own, and all processes that it starts.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._reaped = threading.Lock()
        self._over = False
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        self.process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )

    def wait(self) -> int:
        """Wait for the process to end, end the processes it left, and return its exit status."""
        if sys.platform != "win32" and hasattr(os, "waitid"):
            # The process stays in the process table until it is waited for below, so that the
            # number of its group cannot be reused yet.
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self.kill()
            with self._reaped:
                self._over = True
                return self.process.wait()
        status = self.process.wait()
        if sys.platform != "win32":
            self.kill()
        with self._reaped:
            self._over = True
        return status

    def kill(self) -> None:
        """End the process and all that it started, if they are still running."""
        with contextlib.suppress(OSError), self._reaped:
            if self._over:
                return
            if sys.platform == "win32":
                command = ["taskkill", "/T", "/F", "/PID", str(self.process.pid)]
                subprocess.Popen(
                    command,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    creationflags=subprocess.CREATE_NO_WINDOW,
                )
            else:
                os.killpg(self.process.pid, signal.SIGKILL)


def exit_words(status: int) -> str:
    """How a process ended, to follow "The worker": "ended with status 3", "crashed (SIGSEGV)"."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name == "SIGKILL":
        return "was killed (SIGKILL), as happens when memory runs out"
    return f"was killed ({name})" if name == "SIGTERM" else f"crashed ({name})"
