"""The rate comes from whole runs: trials at several rates and seeds, and methods side by side."""

from keras_lr.trials._compare import compare as compare
from keras_lr.trials._compare_result import CompareResult as CompareResult
from keras_lr.trials._sweep import sweep as sweep
from keras_lr.trials._sweep_result import SweepResult as SweepResult
