"""PyTorch: each kernel runs as it is called, and variables are assigned in place."""
