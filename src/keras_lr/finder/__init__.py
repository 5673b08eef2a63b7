"""A rate found by short runs: the model is borrowed and given back as it was."""

from keras_lr.finder._race_result import RaceResult as RaceResult
from keras_lr.finder._race import race as race
