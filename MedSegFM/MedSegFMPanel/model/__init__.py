"""The choice of a model: its facts, packages and weights."""
