"""The commands of `medsegfm`: each module adds its arguments and runs them.

They are the only part of the library that prints.
"""
