"""Memory: of the machine, of a process, and of a GPU."""
