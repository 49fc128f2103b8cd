def is_dicom_seg(path):
    return False


def read_dicom_seg(path): ...
