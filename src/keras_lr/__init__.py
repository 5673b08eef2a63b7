"""keras-lr finds, schedules, steers and explains the learning rate of any Keras 3 model."""

from keras_lr import callbacks as callbacks
from keras_lr import schedules as schedules
from keras_lr.finder import RaceResult as RaceResult
from keras_lr.finder import race as race
from keras_lr.fit import fit as fit
from keras_lr.fit_result import FitResult as FitResult

__version__ = "0.1.0"
