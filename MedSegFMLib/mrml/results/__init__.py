"""The results of a scene as files: segments with their ledger, also beside their DICOM images."""
