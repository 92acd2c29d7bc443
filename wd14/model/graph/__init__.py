"""ONNX files without `onnx`: what a graph takes and gives, and the same graph written in another way."""
