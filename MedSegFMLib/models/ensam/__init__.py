"""ENSAM, the shipped model: its card, weights, runtimes and sliding windows."""
