"""What the steps of a run say of its rate: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_lr.diagnosis._judgement import Judgement, Verdict, rounded
from keras_lr.diagnosis._signals import Signal, Step, Steps, are_finite, reach, reaches, signals_of
from keras_lr.report import Chart, Facts, Line, Part, Points, Report, Shown, Table, Text

SHORT, LONG = 0.1, 1.1  # reach of a step
RISE = 0.01  # of the loss of a batch, over the step that was made on it
BEGINNING = 0.1  # of the steps that were looked at: warm-up, and the first wild ones
LEAST_LOOKS = 5

ASK = "keras_lr.diagnose tries other rates, and says by what factor."
OF_THE_DATA = (
    "The loss of a batch or its gradient was not finite, and no step that was looked at before had gone too far: look "
    "for NaN and infinity in the data, and for a logarithm or a root of zero. keras_lr.diagnose tries other rates, and "
    "leaves such batches out."
)
UNSEEN = (
    "The weights were not finite when the first step was looked at: the rate is too high, or the data hold NaN or "
    "infinity. Lower `every`, or call keras_lr.diagnose, which leaves such batches out."
)


@dataclass(frozen=True, eq=False, repr=False)
class RunDiagnosis(Shown):
    """What the steps of a run say of its rate; prints, plots, and saves as a page or as JSON.

    Attributes:
        verdict: the judgement and the reason; never a factor.
        signals: of all steps that were looked at but for the first tenth.
        at: the number of each such step in the run, from 0, shape `(looks,)`.
        steps: the steps.
        diverged: whether one of them had a loss that was not finite.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    >>> monitor = keras_lr.callbacks.Monitor(every=8)
    >>> history = model.fit(x, x.sum(1, keepdims=True), epochs=4, verbose=0, callbacks=[monitor])
    >>> found = monitor.diagnosis()
    >>> found.judgement, found.at.tolist()
    (<Judgement.TOO_LOW: 'too low'>, [7, 15, 23, 31, 39, 47, 55, 63])
    >>> [signal.name for signal in found.signals]
    ['reach of a step', 'steps uphill', 'update to weight']
    """

    verdict: Verdict
    signals: tuple[Signal, ...]
    at: np.ndarray
    steps: Steps
    diverged: bool

    @property
    def judgement(self) -> Judgement:
        """Too high, too low, or undecided; right, like a factor, takes trials of other rates."""
        return self.verdict.judgement

    def report(self) -> Report:
        """Describe the verdict and the signals in facts, a table and charts."""
        facts: dict[str, str | int] = {"verdict": self.verdict.judgement.value, "steps looked at": len(self.steps)}
        parts: list[Part] = [Facts(facts), Text(self.verdict.reason)]
        if len(self.steps):
            rows = [(s.name, s.value, s.interval, s.meaning) for s in self.signals]
            parts.append(Table("Steps of the run", ("signal", "value", "interval", "what it means"), rows))
            parts.append(self._chart())
        return Report("What the run says of its learning rate", parts)

    def _chart(self) -> Chart:
        every = reaches(self.steps)
        window = max(1, len(every) // 10)
        starts = range(0, len(every) - window + 1, window)
        middles = [float(np.mean(self.at[i : i + window])) for i in starts]
        pooled = [reach(self.steps.part(i, i + window)).value for i in starts]
        return Chart(
            "Reach of a step",
            "step of the run",
            "reach (1: to the lowest loss)",
            lines=[Line(f"pooled over {window}" if window > 1 else "each step", middles, pooled)],
            points=[Points("each step", self.at, np.clip(every, 0.0, 4.0))] if window > 1 else [],
            note="1 is exactly to the lowest point along the step, above 2 a step ends higher than it began.",
        )


def judge_run(at: np.ndarray, made: Sequence[Step], first: Step | None = None) -> RunDiagnosis:
    """Judge the rate of a run by single steps of it.

    Args:
        at: the number of each step in the run, shape `(looks,)`.
        made: the steps.
        first: the first step of the run. Default: unknown.
    """
    finite, steps = are_finite(made), Steps.of(made)
    judged = steps.part(int(np.ceil(BEGINNING * len(steps))), len(steps))
    sound = bool(np.all(finite))
    if first is not None and _is_measured(first) and not first.loss_after <= first.loss + RISE * abs(first.loss):
        losses = f"{first.loss:.3g} to {first.loss_after:.3g}"
        verdict = Verdict(Judgement.TOO_HIGH, f"The first step took the loss of its own batch from {losses}. {ASK}")
    else:
        verdict = _verdict(judged) if sound else _of_failure(made, int(np.argmin(finite)))
    return RunDiagnosis(verdict, signals_of(judged), at[finite], steps, not sound)


def _is_measured(step: Step) -> bool:
    """Return whether loss and gradient were finite before a step, so that what comes after is the step's doing."""
    return bool(np.isfinite(step.loss) and not np.isnan(step.slope))


def _of_failure(made: Sequence[Step], failed: int) -> Verdict:
    """Judge a run by how it came to the step that failed: by steps that went too far, or out of the blue."""
    before, seen = reach(Steps.of(made[:failed])).value, Step(*made[failed])
    if before > LONG:
        says = f"Steps went {rounded(before)} times as far as to the lowest loss, until it was not finite"
    elif _is_measured(seen):
        says = "A step led to a loss that was not finite"
    elif failed or np.isfinite(seen.squared_weights_length):
        return Verdict(Judgement.UNDECIDED, OF_THE_DATA)
    else:
        return Verdict(Judgement.UNDECIDED, UNSEEN)
    return Verdict(Judgement.TOO_HIGH, f"{says}. {ASK}")


def _verdict(steps: Steps) -> Verdict:
    if len(steps) < LEAST_LOOKS:
        return Verdict(Judgement.UNDECIDED, f"Fewer than {LEAST_LOOKS} steps were looked at: lower `every`.")
    value = reach(steps).value
    if value <= 0:
        judgement, says = Judgement.TOO_LOW, "The loss still bends down where a step ends, so the steps are short"
    elif value < SHORT:
        judgement, says = Judgement.TOO_LOW, f"Steps go {rounded(value)} of the way to the lowest loss: they are short"
    elif value > LONG:
        judgement, says = Judgement.TOO_HIGH, f"Steps go {rounded(value)} times as far as to the lowest loss: too far"
    else:
        judgement, says = Judgement.UNDECIDED, "Steps are neither clearly short nor clearly long"
    return Verdict(judgement, f"{says}. {ASK}")
