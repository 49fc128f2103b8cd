"""The architecture of ENSAM in torch, and its ONNX graphs."""
