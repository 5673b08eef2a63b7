"""The rate from the history of gradients: ordinary Keras optimizers, and wrappers around any of them."""

from keras_lr.optimizers._adgd import AdGD as AdGD
from keras_lr.optimizers._adahessian import AdaHessian as AdaHessian
from keras_lr.optimizers._barzilai_borwein import BarzilaiBorwein as BarzilaiBorwein
from keras_lr.optimizers._cocob import COCOB as COCOB
from keras_lr.optimizers._hypergradient import (
    HypergradientAdam as HypergradientAdam,
    HypergradientSGD as HypergradientSGD,
    NormalizedHypergradient as NormalizedHypergradient,
)
from keras_lr.optimizers._layer_factors import (
    layerwise_decay as layerwise_decay,
    mup_adam as mup_adam,
    mup_sgd as mup_sgd,
)
from keras_lr.optimizers._per_layer import PerLayer as PerLayer
from keras_lr.optimizers._mechanic import Mechanic as Mechanic
from keras_lr.optimizers._momo import MoMo as MoMo, MoMoAdam as MoMoAdam
from keras_lr.optimizers._dadapt_adagrad import DAdaptAdaGrad as DAdaptAdaGrad
from keras_lr.optimizers._dadapt_adam import DAdaptAdam as DAdaptAdam
from keras_lr.optimizers._dadapt_lion import DAdaptLion as DAdaptLion
from keras_lr.optimizers._dadapt_sgd import DAdaptSGD as DAdaptSGD
from keras_lr.optimizers._dog import DoG as DoG, LDoG as LDoG
from keras_lr.optimizers._dowg import DoWG as DoWG
from keras_lr.optimizers._prodigy import Prodigy as Prodigy
from keras_lr.optimizers._sophia import Sophia as Sophia
from keras_lr.optimizers._schedule_free import (
    ScheduleFreeAdamW as ScheduleFreeAdamW,
    ScheduleFreeRAdam as ScheduleFreeRAdam,
    ScheduleFreeSGD as ScheduleFreeSGD,
)
from keras_lr.optimizers._schedule_free_plus import ScheduleFreePlus as ScheduleFreePlus
from keras_lr.optimizers._line_search import LineSearch as LineSearch
from keras_lr.optimizers._lbfgs import LBFGS as LBFGS
from keras_lr.optimizers._scheduled import Scheduled as Scheduled
from keras_lr.optimizers._scheduled import one_cycle as one_cycle
from keras_lr.optimizers._directions import (
    AdagradDirection as AdagradDirection,
    AdamDirection as AdamDirection,
    RMSpropDirection as RMSpropDirection,
    SteepestDescent as SteepestDescent,
)
from keras_lr.optimizers._gradient_only import GradientOnly as GradientOnly
from keras_lr.optimizers._probabilistic import Noise as Noise, ProbabilisticLineSearch as ProbabilisticLineSearch
