"""What TensorFlow and PyTorch have in common: variables that are assigned in place."""
