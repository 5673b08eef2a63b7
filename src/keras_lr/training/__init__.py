"""The engine room: one training step, a line made of a model and a batch, a borrowed model, a rate that is set."""

from keras_lr.training._attach import attach as attach
from keras_lr.training._set_learning_rate import scale_learning_rate as scale_learning_rate
from keras_lr.training._set_learning_rate import set_learning_rate as set_learning_rate
