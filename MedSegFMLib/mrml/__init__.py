"""The scene logic on real MRML nodes, without Qt: driven by `SegmentationLogic.pump()`.

Everything here runs on the main thread, where MRML may be touched. Importing a module of this
package needs `slicer` and VTK, as Slicer itself or the package slicer-core brings them.
"""
