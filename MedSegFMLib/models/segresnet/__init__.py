"""SegResNet models from MONAI bundles."""
