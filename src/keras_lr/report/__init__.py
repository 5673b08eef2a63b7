"""A result describes itself once, in text, facts, tables and charts; this room prints it, draws it and makes a page."""

from keras_lr.report._parts import Band as Band
from keras_lr.report._parts import Chart as Chart
from keras_lr.report._parts import Facts as Facts
from keras_lr.report._parts import Line as Line
from keras_lr.report._parts import Mark as Mark
from keras_lr.report._parts import Part as Part
from keras_lr.report._parts import Points as Points
from keras_lr.report._parts import Span as Span
from keras_lr.report._parts import Table as Table
from keras_lr.report._parts import Text as Text
from keras_lr.report._shown import Report as Report
from keras_lr.report._shown import Shown as Shown
