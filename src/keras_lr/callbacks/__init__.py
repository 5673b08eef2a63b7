"""What `fit` reports while it runs, and what can be done about it."""

from keras_lr.callbacks._averaged_weights import AveragedWeights as AveragedWeights
from keras_lr.callbacks._event import Event as Event
from keras_lr.callbacks._guard import Guard as Guard
from keras_lr.callbacks._horizon import Horizon as Horizon
from keras_lr.callbacks._monitor import Monitor as Monitor
from keras_lr.callbacks._record_learning_rate import RecordLearningRate as RecordLearningRate
from keras_lr.callbacks._reduce_on_plateau import ReduceOnPlateau as ReduceOnPlateau
from keras_lr.callbacks._weights_at_rest import WeightsAtRest as WeightsAtRest
