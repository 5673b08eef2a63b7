"""Class numbers that a model has no output for: JAX trains on them in silence, the other backends name no cause."""

from typing import Any

import keras


def check_labels(model: keras.Model, batch: Any) -> None:
    """Raise `ValueError` where the labels of a batch are not among the classes of a built model.

    Only what is certain is looked at: one output, Keras' own sparse cross-entropy, and rows that all count.
    """
    _, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    if y is None or sample_weight is not None or not model.loss or any(map(keras.tree.is_nested, (y, model.loss))):
        return
    loss = keras.losses.get(model.loss)
    options = getattr(loss, "_fn_kwargs", {})
    shape = getattr(model, "output_shape", None)
    sparse = getattr(loss, "fn", loss) is keras.losses.sparse_categorical_crossentropy
    if not sparse or options.get("axis", -1) != -1 or not isinstance(shape, tuple) or not isinstance(shape[-1], int):
        return
    labels = keras.ops.convert_to_numpy(y)
    labels = labels[labels != options.get("ignore_class")]
    if ((labels < 0) | (labels >= shape[-1])).any():
        raise ValueError(
            f"y holds class numbers from {labels.min():g} to {labels.max():g}, and the model {model.name!r} has "
            f"outputs for 0 to {shape[-1] - 1}. Number the classes from 0, as by "
            "`classes, y = np.unique(y, return_inverse=True)`, and give the last layer a unit for each. Rows without a "
            "class are left out by the loss keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)."
        )
