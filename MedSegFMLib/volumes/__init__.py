"""Volumes on a grid in patient space, and what can be done with them."""
