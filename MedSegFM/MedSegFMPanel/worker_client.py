"""The client of a worker, as the panel makes it."""


def worker_client(host):
    """Make the client of a worker on this computer, or on a host that ssh reaches.

    Args:
        host: The host as ssh takes it; "" for this computer.
    """
    from MedSegFMLib.worker.client import WorkerClient
    from MedSegFMLib.worker.launchers import LocalLauncher, SshLauncher

    return WorkerClient(SshLauncher(host) if host else LocalLauncher())
