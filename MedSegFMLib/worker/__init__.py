"""Inference in a separate process, with frames over its stdin and stdout. See `client`."""
