"""Volumes in files: ITK formats and DICOM."""
