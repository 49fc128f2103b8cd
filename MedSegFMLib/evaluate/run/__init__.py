"""Runs the tasks of an evaluation: in this process, in several, or on Ray."""
