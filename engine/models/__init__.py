"""A ``.tflite`` file becomes a typed graph, and the graph a cost per operator."""
