"""The review of a batch in a scene: one case after another, and what is decided about each."""
