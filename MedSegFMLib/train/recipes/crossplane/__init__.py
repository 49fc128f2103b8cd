"""Trains the cross-plane adapter of SAM."""
