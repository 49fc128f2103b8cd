"""Randomly generated labelled volumes."""
