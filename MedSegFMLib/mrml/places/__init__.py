"""The question where an object is, in the scene."""
