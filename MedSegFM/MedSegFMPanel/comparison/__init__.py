"""The section that compares models."""
