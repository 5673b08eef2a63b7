"""A rate found by short runs: the model is borrowed and given back as it was."""

from keras_lr.finder._own_rule import Use as Use
from keras_lr.finder._race import race as race
from keras_lr.finder._race_result import RaceResult as RaceResult
from keras_lr.finder._range_test import range_test as range_test
from keras_lr.finder._range_test import Spacing as Spacing
from keras_lr.finder._range_test_result import RangeTestResult as RangeTestResult
from keras_lr.finder._range_test_result import Suggestion as Suggestion
from keras_lr.finder._suggest import RULES as RULES
