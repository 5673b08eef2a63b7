"""The only room that imports a framework: one small verb a file, which picks the file of that name for the backend.

A folder a backend, which imports that framework alone; `ops` for what several can share in `keras.ops`, `in_place` for
what TensorFlow and PyTorch share, whose variables are assigned in place.
"""
