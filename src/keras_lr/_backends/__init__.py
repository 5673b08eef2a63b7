"""The only room that imports a framework: one small verb a file, which picks the file of that name for the backend.

A folder a backend, which imports that framework alone; `ops` for what several can share in `keras.ops`, `in_place` for
what TensorFlow and PyTorch share, whose variables are assigned in place. The file of a verb that every backend has of
its own picks it by `choice.module_of`; one that backends share is picked by an `if`.
"""
