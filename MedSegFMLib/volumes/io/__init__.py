"""Reading and writing of volumes: ITK formats and DICOM."""
