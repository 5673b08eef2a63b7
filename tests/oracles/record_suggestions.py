"""Records what other libraries' learning-rate finders suggest for tests/finder/test_suggest.py.

Each library runs its own sweep, smoothing, stopping and rule, from its own entry point, on a model whose loss follows a
script: a list of numbers. What is kept: the losses, the rates that the library used, its answer.
Run:  pip install torch fastai torch-lr-finder pytorch-ignite pytorch-lightning==2.6.6 ktrain
      python tests/oracles/record_suggestions.py
      pip install pytorch-lightning==2.5.2 && python tests/oracles/record_suggestions.py lightning_2_5_2
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

FILE = pathlib.Path(__file__).with_name("suggestions.json")
STEPS = 100


def curves():
    """Losses of 100 steps: noise of several sizes, an early and a late edge, a spike at the start, a NaN tail."""
    random = np.random.default_rng(0)
    progress = np.linspace(0, 1, STEPS)

    def curve(middle, edge, depth=1.5, noise=0.05, start=2.0):
        descent = depth / (1 + np.exp(-(progress - middle) * 20))
        return start - descent + noise * random.normal(size=STEPS) + np.exp(np.minimum((progress - edge) * 60, 25))

    spiked = curve(0.5, 0.8)
    spiked[1] += 8
    ended = curve(0.55, 2.0)
    ended[88:] = np.nan
    return {
        "smooth": curve(0.55, 0.8, noise=0.0),
        "noisy": curve(0.6, 0.85, noise=0.3),
        "early": curve(0.35, 0.5),
        "shallow": curve(0.5, 0.75, depth=0.2, noise=0.02),
        "deep": curve(0.6, 0.9, depth=1.95, noise=0.01),
        "spike": spiked,
        "no edge": curve(0.6, 2.0),
        "NaN tail": ended,
    }


class Scripted(torch.nn.Module):
    """A model whose loss is the next number of a list, whatever its weights are."""

    def __init__(self, losses):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.losses, self.step = losses, 0

    def forward(self, x):
        return x * self.weight

    def loss(self, *ignored):
        value = float(self.losses[min(self.step, len(self.losses) - 1)])
        self.step += 1
        return self.weight.sum() * 0 + value


def loader():
    return DataLoader(TensorDataset(torch.zeros(STEPS + 20, 1), torch.zeros(STEPS + 20, 1)), batch_size=1)


def torch_lr_finder(losses):
    import matplotlib

    matplotlib.use("Agg")
    from torch_lr_finder import LRFinder

    model = Scripted(losses)
    finder = LRFinder(model, torch.optim.SGD(model.parameters(), lr=1e-6), model.loss)
    finder.range_test(loader(), end_lr=10, num_iter=STEPS)
    return {"torch_lr_finder": finder.plot()[1]}, finder.history["lr"]


def ignite(losses):
    from ignite.engine import Engine
    from ignite.handlers import FastaiLRFinder

    model = Scripted(losses)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    trainer = Engine(lambda engine, batch: model.loss().item())
    finder = FastaiLRFinder()
    with finder.attach(trainer, {"model": model, "optimizer": optimizer}, end_lr=10.0, num_iter=STEPS) as lent:
        lent.run(loader())
    return {"ignite": finder.lr_suggestion()}, finder.get_results()["lr"]


def lightning(losses, name="lightning"):
    import pytorch_lightning
    from pytorch_lightning.tuner import Tuner

    class Module(pytorch_lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.scripted, self.lr = Scripted(losses), 1e-3

        def training_step(self, batch, index):
            return self.scripted.loss()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.lr)

    trainer = pytorch_lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, max_epochs=1
    )
    found = Tuner(trainer).lr_find(Module(), train_dataloaders=loader(), num_training=STEPS, update_attr=False)
    return {name: found.suggestion()}, found.results["lr"]


def fastai(losses):
    from fastai.callback.core import CancelFitException  # noqa: F401
    from fastai.callback.schedule import minimum, slide, steep, valley
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader as FastaiLoader
    from fastai.learner import Learner

    data = TensorDataset(torch.zeros(STEPS + 20, 1), torch.zeros(STEPS + 20, 1))
    loaders = DataLoaders(FastaiLoader(data, bs=1, num_workers=0), FastaiLoader(data, bs=1, num_workers=0))
    model = Scripted(losses)
    learner = Learner(loaders, model, loss_func=model.loss)
    with learner.no_bar():
        found = learner.lr_find(num_it=STEPS, show_plot=False, suggest_funcs=(valley, slide, minimum, steep))
    return {name: float(rate) for name, rate in found._asdict().items()}, learner.recorder.lrs


def ktrain(losses):
    """Drive ktrain's finder batch by batch, as its `find` does; the package itself asks for an older Keras."""
    name = "ktrain.lroptimize.lrfinder"
    root = pathlib.Path(importlib.util.find_spec("ktrain").submodule_search_locations[0])
    imports = types.ModuleType("ktrain.imports")
    imports.np, imports.warnings = np, __import__("warnings")
    imports.keras = types.SimpleNamespace(callbacks=types.SimpleNamespace(Callback=object))
    imports.K = types.SimpleNamespace(
        get_value=lambda box: box[0], set_value=lambda box, value: box.__setitem__(0, value)
    )
    for part, module in (("ktrain", None), ("ktrain.imports", imports), ("ktrain.utils", None)):
        sys.modules[part] = module or types.ModuleType(part)
    sys.modules["ktrain"].utils = sys.modules["ktrain.utils"]
    sys.modules["ktrain.utils"].DEFAULT_BS = 32
    sys.modules["ktrain.lroptimize"] = types.ModuleType("ktrain.lroptimize")
    spec = importlib.util.spec_from_file_location(name, root / "lroptimize" / "lrfinder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rate = [1e-7]
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(lr=rate, learning_rate=rate), stop_training=False)
    finder = module.LRFinder(model)
    finder.lr_mult = (10 / 1e-7) ** (1 / STEPS)
    for batch, loss in enumerate(losses):
        finder.on_batch_end(batch, {"loss": float(loss)})
        if model.stop_training:
            break
    finder._compute_stats()
    steepest, minimum, valley = finder.estimate_lr()
    return {"ktrain_steepest": steepest, "ktrain_minimum": minimum, "ktrain_valley": valley}, finder.lrs


LIBRARIES = {
    "torch_lr_finder": (torch_lr_finder, "torch-lr-finder"),
    "ignite": (ignite, "pytorch-ignite"),
    "fastai": (fastai, "fastai"),
    "ktrain": (ktrain, "ktrain"),
    "lightning": (lightning, "pytorch-lightning"),
    "lightning_2_5_2": (lambda losses: lightning(losses, "lightning_2_5_2"), "pytorch-lightning"),
}


def main(names):
    kept = json.loads(FILE.read_text()) if FILE.exists() else {"versions": {}, "curves": {}}
    kept["curves"] = {name: [repr(float(v)) for v in curve] for name, curve in curves().items()}
    for name in names:
        run, package = LIBRARIES[name]
        kept["versions"][name] = importlib.metadata.version(package)
        kept[name] = {}
        for curve, losses in curves().items():
            try:
                answers, rates = run(losses)
            except (RuntimeError, ValueError, IndexError) as error:
                kept[name][curve] = {"error": f"{type(error).__name__}: {error}"[:100]}
                continue
            kept[name][curve] = {
                "answers": {rule: None if rate is None else float(rate) for rule, rate in answers.items()},
                "rates": [float(rate) for rate in rates],
            }
    FILE.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or [name for name in LIBRARIES if name != "lightning_2_5_2"])
