"""Training on the scene's own segments."""
