"""Helpers for MRML nodes: volumes, transforms, hidden nodes and scene observers."""
