"""Results of several models for the same prompts, compared in the scene."""
