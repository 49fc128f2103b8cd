"""Segments with names, colours and meanings: label maps, .seg.nrrd and DICOM SEG."""
