"""Prompts in the panel: the buttons, the list and place mode."""
