"""Many volumes segmented by one command: the list, its results, and the queue for their review."""
