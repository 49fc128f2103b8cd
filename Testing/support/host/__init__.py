"""The desktop around the Slicer module, as small as the module needs it: PySide6 for PythonQt.

Scene, logic, views and `slicer.util` are the real ones of slicer-core; see `application.start`.
"""
