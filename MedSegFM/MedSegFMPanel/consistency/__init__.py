"""The section that shows where the planes disagree."""
