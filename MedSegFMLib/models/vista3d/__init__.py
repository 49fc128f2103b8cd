"""VISTA3D: classes by name and clicks in CT."""
