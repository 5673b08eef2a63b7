"""TensorFlow: one graph is compiled of a whole step, and variables are assigned in place."""
