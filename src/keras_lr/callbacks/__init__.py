"""What `fit` reports while it runs, and what can be done about it."""

from keras_lr.callbacks._guard import Event as Event
from keras_lr.callbacks._guard import Guard as Guard
