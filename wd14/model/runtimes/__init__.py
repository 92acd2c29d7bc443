"""What runs a model: onnxruntime and OpenVINO, on the devices that each has."""
