"""Segments of the scene: how they are read, written, replaced and exported."""
