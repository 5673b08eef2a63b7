"""What a step of GradientOnly costs in `fit` beside Keras' SGD with momentum, in one interleaved run.

    KERAS_BACKEND=jax python benchmarks/gradient_only_cost.py [--models small,cnn,large] [--rounds 7]

The models, the rounds and the table are those of `line_search_cost.py`.
"""

import keras
import line_search_cost as cost

from keras_lr.optimizers import GradientOnly, SteepestDescent


def contenders():
    return {
        "momentum": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
        "momentum again": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
        "along the gradient": lambda: GradientOnly(direction=SteepestDescent()),
        "the default, along RMSprop": lambda: GradientOnly(),
    }


if __name__ == "__main__":
    cost.main(contenders(), __doc__)
