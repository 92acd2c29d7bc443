"""Builds the offline model `builtin/colours`: `python -m scripts.builtin_model`. Needs the `onnx` package."""
