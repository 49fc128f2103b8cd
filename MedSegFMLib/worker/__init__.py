"""Inference in one process of its own: frames over its stdin and stdout. See `client`."""
