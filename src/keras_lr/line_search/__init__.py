"""The rate from the loss and its slope along a line: searches and rules, as frozen values."""

from keras_lr.line_search._dynamic import Limits as Limits
from keras_lr.line_search._gradient_only import (
    Back as Back,
    Bisection as Bisection,
    Inexact as Inexact,
    Maximum as Maximum,
    SlopeTracking as SlopeTracking,
)
from keras_lr.line_search._quadratic import Enforced as Enforced, Quadratic as Quadratic
from keras_lr.line_search._backtracking import Backtracking as Backtracking
from keras_lr.line_search._line import (
    Accepted as Accepted,
    Line as Line,
    Point as Point,
    Search as Search,
    Status as Status,
    Walk as Walk,
)
from keras_lr.line_search._parabolic import PAL as PAL
from keras_lr.line_search._polyak import Polyak as Polyak, SafePolyak as SafePolyak
from keras_lr.line_search._rule import (
    FirstTrial as FirstTrial,
    Growing as Growing,
    EachStep as EachStep,
    Restarting as Restarting,
    Rule as Rule,
    SameDecrease as SameDecrease,
)
from keras_lr.line_search._goldstein import Goldstein as Goldstein
from keras_lr.line_search._lazy_parabola import GeN as GeN
from keras_lr.line_search._nonmonotone import PoNoS as PoNoS
from keras_lr.line_search._sls import SLS as SLS
from keras_lr.line_search._smoothed import SaLSA as SaLSA
from keras_lr.line_search._strong_wolfe import StrongWolfe as StrongWolfe
from keras_lr.line_search._hager_zhang import HagerZhang as HagerZhang
from keras_lr.line_search._probabilistic import Wolfe as Wolfe
