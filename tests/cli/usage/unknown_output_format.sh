$bantam convert x -o y.onnx
