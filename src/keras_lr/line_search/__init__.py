"""The rate from the loss and its slope along a line: searches and rules, as frozen values.

A `Search` finds a step along one line and remembers nothing: `Backtracking`, `Goldstein`, `StrongWolfe`, `HagerZhang`.
A `Rule` says how far to go at every step of a training; it chooses what to try first, searches from there, and may
remember a few numbers until the next step: `PAL`, `PoNoS`, `SaLSA`, `Polyak`, `SafePolyak`, `GeN`. `EachStep` makes a
rule of a search and of a way to choose its first trial (`Growing`, `Restarting`, `SameDecrease`); `LineSearch` follows
a rule, and puts a bare search into one.

`Inexact`, `Maximum`, `Back`, `Bisection`, `Quadratic`, `SlopeTracking` and `Wolfe` are for searches whose every trial
sees another batch: `GradientOnly` and `ProbabilisticLineSearch`.
"""

from keras_lr.line_search._backtracking import Backtracking as Backtracking
from keras_lr.line_search._dynamic import Limits as Limits
from keras_lr.line_search._goldstein import Goldstein as Goldstein
from keras_lr.line_search._gradient_only import Back as Back
from keras_lr.line_search._gradient_only import Bisection as Bisection
from keras_lr.line_search._gradient_only import Inexact as Inexact
from keras_lr.line_search._gradient_only import Maximum as Maximum
from keras_lr.line_search._gradient_only import SlopeTracking as SlopeTracking
from keras_lr.line_search._hager_zhang import HagerZhang as HagerZhang
from keras_lr.line_search._lazy_parabola import GeN as GeN
from keras_lr.line_search._line import Accepted as Accepted
from keras_lr.line_search._line import Line as Line
from keras_lr.line_search._line import Point as Point
from keras_lr.line_search._line import Search as Search
from keras_lr.line_search._line import Status as Status
from keras_lr.line_search._line import Walk as Walk
from keras_lr.line_search._nonmonotone import PoNoS as PoNoS
from keras_lr.line_search._parabolic import PAL as PAL
from keras_lr.line_search._polyak import Polyak as Polyak
from keras_lr.line_search._polyak import SafePolyak as SafePolyak
from keras_lr.line_search._probabilistic import Wolfe as Wolfe
from keras_lr.line_search._quadratic import Enforced as Enforced
from keras_lr.line_search._quadratic import Quadratic as Quadratic
from keras_lr.line_search._rule import EachStep as EachStep
from keras_lr.line_search._rule import FirstTrial as FirstTrial
from keras_lr.line_search._rule import Growing as Growing
from keras_lr.line_search._rule import Restarting as Restarting
from keras_lr.line_search._rule import Rule as Rule
from keras_lr.line_search._rule import SameDecrease as SameDecrease
from keras_lr.line_search._sls import SLS as SLS
from keras_lr.line_search._smoothed import SaLSA as SaLSA
from keras_lr.line_search._strong_wolfe import StrongWolfe as StrongWolfe
