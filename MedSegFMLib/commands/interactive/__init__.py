"""The parts of `medsegfm shell`: prompts typed one after another, each answered at once."""
