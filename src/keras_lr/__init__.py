"""keras-lr finds, schedules, steers and explains the learning rate of any Keras 3 model."""

from keras_lr import callbacks as callbacks

__version__ = "0.1.0"
