"""A session: one volume, one model and its prompts."""
