"""Consistency of the three planes, shown in the scene."""
