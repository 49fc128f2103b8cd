"""Prompts, lists of prompts, and prompts as voxels and as JSON."""
