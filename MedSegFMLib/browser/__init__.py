"""The workstation in a browser: the scene logic and Slicer's views behind one page."""
