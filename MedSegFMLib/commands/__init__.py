"""The commands of `medsegfm`: each module adds its arguments and runs them.

They print; nothing else in the library does.
"""
