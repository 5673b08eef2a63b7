"""What a rate does to a model: signals that were measured, the verdict that follows from them, and the words for it."""

from keras_lr.diagnosis._diagnosis import Diagnosis as Diagnosis
from keras_lr.diagnosis._judgement import Judgement as Judgement
from keras_lr.diagnosis._judgement import Verdict as Verdict
from keras_lr.diagnosis._run import RunDiagnosis as RunDiagnosis
from keras_lr.diagnosis._signals import Signal as Signal
from keras_lr.diagnosis._signals import Steps as Steps
