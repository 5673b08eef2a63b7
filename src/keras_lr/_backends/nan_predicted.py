"""Predictions of NaN, of which PyTorch's binary cross-entropy makes an error where the other backends' is NaN."""


def is_of_a_nan_predicted(error: RuntimeError) -> bool:
    """Return whether an error is that of PyTorch's; Keras has clipped all other predictions to probabilities."""
    return str(error) == "all elements of input should be between 0 and 1"
