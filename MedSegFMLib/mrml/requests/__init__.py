"""Requests to the worker, and their order."""
