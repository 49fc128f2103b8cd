"""Architectures that no package provides; each needs torch, so import them when a model is made."""
