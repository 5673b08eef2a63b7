"""Records rates of timm's schedulers for tests/schedules/test_against_timm.py.

timm needs torchvision, which the test environment does not install, so its values are kept as JSON.
Run:  pip install torch timm && python tests/oracles/record_schedules.py
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types

import torch

# Only timm's schedulers are wanted: without its models, timm does not need torchvision.
package = types.ModuleType("timm")
package.__path__ = list(importlib.util.find_spec("timm").submodule_search_locations)
sys.modules["timm"] = package
from timm.scheduler.cosine_lr import CosineLRScheduler  # noqa: E402
from timm.scheduler.multistep_lr import MultiStepLRScheduler  # noqa: E402
from timm.scheduler.poly_lr import PolyLRScheduler  # noqa: E402
from timm.scheduler.step_lr import StepLRScheduler  # noqa: E402
from timm.scheduler.tanh_lr import TanhLRScheduler  # noqa: E402
from timm.scheduler.wsd_lr import WSDLRScheduler  # noqa: E402

BASE = 0.5
T, W = 600, 60


def rates(scheduler, **arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    made = scheduler(optimizer, t_in_epochs=False, **arguments)
    return {str(t): made._get_lr(t)[0] for t in asked()}


def asked():
    near = [
        0,
        1,
        2,
        W - 1,
        W,
        W + 1,
        100,
        299,
        300,
        301,
        450,
        T - 1,
        T,
        T + 1,
        T + W - 1,
        T + W,
        T + W + 1,
        1000,
        2 * T,
    ]
    return sorted(set(near) | set(range(0, 1300, 37)))


warm = {"warmup_t": W, "warmup_lr_init": 0.05, "warmup_prefix": True}
recorded = {
    "cosine": rates(CosineLRScheduler, t_initial=T, lr_min=0.01),
    "cosine_warmup_prefix": rates(CosineLRScheduler, t_initial=T, lr_min=0.01, **warm),
    "cosine_restarts": rates(
        CosineLRScheduler, t_initial=100, lr_min=0.01, cycle_mul=1.5, cycle_decay=0.7, cycle_limit=99
    ),
    "k_decay": rates(CosineLRScheduler, t_initial=T, lr_min=0.01, k_decay=1.5),
    "tanh": rates(TanhLRScheduler, t_initial=T, lr_min=0.01),
    "poly": rates(PolyLRScheduler, t_initial=T, lr_min=0.01, power=2.0),
    "step": rates(StepLRScheduler, decay_t=100, decay_rate=0.3),
    "multistep": rates(MultiStepLRScheduler, decay_t=[100, 300], decay_rate=0.3),
}
for stable in ("constant", "rsqrt", "power"):
    for decay in ("linear", "1-sqrt", "cosine", "power", "exp"):
        recorded[f"wsd_{stable}_{decay}"] = rates(
            WSDLRScheduler,
            t_initial=T,
            decay_t=200,
            lr_min=0.01,
            stable_fn=stable,
            stable_timescale=50.0,
            stable_power=0.8,
            decay_fn=decay,
            decay_power=1.7,
            decay_ratio=0.2,
            warmup_t=W,
            warmup_lr_init=0.05,
        )
made_by = {"timm": importlib.metadata.version("timm"), "torch": torch.__version__, "base": BASE, "T": T, "W": W}
path = pathlib.Path(__file__).with_name("schedules_timm.json")
path.write_text(json.dumps({"made_by": made_by, "rates": recorded}, indent=1) + "\n")
