"""Prompts as markups in the scene."""
