"""The worker as the panel drives it: started when needed, held back, or on another host."""

from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.worker.events import Request

# The number of a request that waits for the user's Run.
HELD = -1


class WorkerGate:
    """A client for the scene logic that passes requests on, or holds them back.

    make_client(host): a new client of a worker on a host, "" for this computer.
    is_open: whether requests pass; while not, the user says when to run.
    """

    def __init__(self, make_client):
        self._make_client = make_client
        self._client = None
        self._volume = None
        self.host = ""
        self.is_open = True
        self.holds = False

    def set_host(self, host):
        """Use a worker elsewhere; the present one ends. Whether it was another."""
        if host == self.host:
            return False
        self.host = host
        self.restart()
        return True

    def restart(self):
        """End the worker; the next one starts with the same volume."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._volume is not None:
            self.set_volume(self._volume)

    def set_volume(self, volume):
        """Predict in this volume; a worker starts, without being waited for."""
        self._volume = volume
        self._ensure().set_volume(volume)

    def warm_up(self, model, device):
        """Let the worker load a model, so that the first prompt finds it ready."""
        if self._volume is not None:
            self._ensure().request(Request(model, PromptList(), device))

    def request(self, request):
        """Ask for an answer, or hold the request back.

        Two pass always, and leave held what is: the planes' comparison, which follows an answer
        that the user has seen, and one that clears the cache, for a comparison of models that the
        user has begun.
        """
        if request.clear_cache or request.consistency:
            return self._ensure().request(request)
        self.holds = not self.is_open
        if self.holds:
            self.cancel()
            return HELD
        return self._ensure().request(request)

    def poll(self):
        """What happened since the last call."""
        return [] if self._client is None else self._client.poll()

    def cancel(self):
        """Stop what was asked."""
        if self._client is not None:
            self._client.cancel()

    def close(self):
        """End the worker for good."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ensure(self):
        if self._client is None:
            self._client = self._make_client(self.host)
        return self._client


def worker_client(host):
    """The real client of a worker here, or on a host that ssh reaches."""
    from MedSegFMLib.worker.client import WorkerClient
    from MedSegFMLib.worker.launchers import LocalLauncher, SshLauncher

    return WorkerClient(SshLauncher(host) if host else LocalLauncher())
