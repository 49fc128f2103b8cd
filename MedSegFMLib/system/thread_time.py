"""The time that a main thread gives to the other threads of its process.

Slicer's event loop keeps Python's lock while it waits: threads run only while the main thread
executes Python, a few milliseconds in each tick of a timer. A main thread that awaits the work of a
thread therefore waits for it in each tick, without the lock.
"""

from __future__ import annotations

# Too short to be noticed; a thread that has nothing to do gives it back at once.
GRANTED_SECONDS = 0.005
