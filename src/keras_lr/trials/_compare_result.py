"""What a comparison of methods found."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_lr.report import Band, Chart, Facts, Line, Part, Report, Shown, Table, Text
from keras_lr.trials import _profile
from keras_lr.trials._axis import NOTE, is_wide, without_exploded
from keras_lr.trials._outcome import said_of_equal_seeds

SHARE_OF_THE_WAY = 0.95


@dataclass(frozen=True, eq=False, repr=False)
class CompareResult(Shown):
    """What a comparison of methods found; prints as tables, plots, and saves as a page or as JSON.

    Attributes:
        tasks, methods: their names; a single task that was given without a name has an empty one.
        seeds: of the runs.
        untrained: the monitored value before training, shape `(tasks, seeds)`.
        values: what was monitored at the end of each run, shape `(tasks, methods, seeds)`; infinitely bad where it was
            not finite.
        curves: what was monitored at the end of each epoch, shape `(tasks, methods, seeds, epochs)`; NaN where there is
            nothing.
        steps: the training steps that the model had been run by then, those before the training (a race) included.
        seconds: the time by then, building and compiling included.
        given_targets: the targets that were asked for, shape `(tasks,)`; NaN where none was.
        monitors: what was monitored on each task.
        higher_is_better: whether a higher value is better.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> def build():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer="sgd", loss="mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> task = keras_lr.Task(build, x, x.sum(1, keepdims=True), epochs=4)
    >>> result = keras_lr.compare(task, {"slow": 0.001, "fast": 0.2}, seeds=1)
    >>> result.values.shape, result.scores
    ((1, 2, 1), {'slow': 0.0, 'fast': 1.0})
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    untrained: np.ndarray
    values: np.ndarray
    curves: np.ndarray
    steps: np.ndarray
    seconds: np.ndarray
    given_targets: np.ndarray
    monitors: tuple[str, ...]
    higher_is_better: bool

    @cached_property
    def targets(self) -> np.ndarray:
        """The value at which a run has arrived, shape `(tasks,)`; NaN where no method got better than untrained.

        Where none was given: 95 % of the way from the untrained value to the best final value of any method, both the
        median over the seeds; NaN where the untrained value is not finite.
        """
        sign = self._sign
        start = np.median(sign * np.where(np.isfinite(self.untrained), self.untrained, np.nan), axis=1)
        best = np.min(np.median(sign * self.values, axis=2), axis=1)
        found = np.where(best < start, start + SHARE_OF_THE_WAY * (best - start), np.nan)
        return np.where(np.isnan(self.given_targets), sign * found, self.given_targets)

    @property
    def steps_to_target(self) -> np.ndarray:
        """The steps by the end of the first epoch at the target, shape `(tasks, methods, seeds)`; infinite: never."""
        return self._spent(self.steps)

    @property
    def seconds_to_target(self) -> np.ndarray:
        """The seconds by the end of the first epoch at the target, shape `(tasks, methods, seeds)`; infinite: never."""
        return self._spent(self.seconds)

    @property
    def epochs_to_target(self) -> np.ndarray:
        """The first epoch at whose end the target was reached, shape `(tasks, methods, seeds)`; infinite: never."""
        return self._spent(np.broadcast_to(np.arange(1.0, self.curves.shape[3] + 1), self.curves.shape))

    @property
    def scores(self) -> dict[str, float]:
        """The AlgoPerf score of each method by steps: the area under its performance profile from 1 to 4, over 3.

        1: on every task the fastest; 0: never within four times the steps of the fastest. Steps of a task: the median
        over the seeds, infinite where most of them miss the target.
        """
        return dict(zip(self.methods, _profile.scores(self._ratios(self.steps_to_target)).tolist(), strict=True))

    def report(self) -> Report:
        """Describe the comparison in tables and charts, task by task."""
        better = "higher" if self.higher_is_better else "lower"
        facts: dict[str, str | int | float | None] = {
            **self._answers(),
            "seeds": len(self.seeds),
            "judged by": f"{', '.join(dict.fromkeys(self.monitors))} at the end, {better} is better",
        }
        parts: list[Part] = [Facts(facts)]
        if len(self.tasks) > 1:
            parts += [self._score_table(), self._profile_chart()]
        for index in range(len(self.tasks)):
            parts += [self._task_table(index), self._task_chart(index)]
        parts.append(Text(self._how()))
        return Report("Comparison of methods", parts)

    @property
    def _sign(self) -> float:
        return -1.0 if self.higher_is_better else 1.0

    def _spent(self, spent: np.ndarray) -> np.ndarray:
        return _profile.first_reached(self._sign * self.curves, spent, self._sign * self.targets)

    def _ratios(self, times: np.ndarray) -> np.ndarray:
        return _profile.ratios(np.median(times, axis=2))

    def _answers(self) -> dict[str, str]:
        if len(self.tasks) > 1:
            winner = max(self.scores, key=lambda name: self.scores[name])
            return {"highest score by steps": f"{winner} ({self.scores[winner]:.2g})"}
        ends = np.median(self._sign * self.values[0], axis=1)
        steps = np.median(self.steps_to_target[0], axis=1)
        found = {}
        if np.any(np.isfinite(ends)):
            found["ends best"] = f"{self.methods[np.argmin(ends)]} ({self._sign * np.min(ends):.4g})"
        if np.any(np.isfinite(steps)):
            found["first at the target"] = f"{self.methods[np.argmin(steps)]} ({np.min(steps):,.0f} steps)"
        return found

    def _how(self) -> str:
        targets = "the target that was given"
        if np.any(np.isnan(self.given_targets)):
            targets = (
                "95 % of the way from the untrained model's value to the best final value of any method (medians over "
                "the seeds)"
            )
        return (
            f"A run has arrived at the end of the first epoch at the target: {targets}. Steps are all that the model "
            "was run, those before the training included; seconds are what one waits, building and compiling included. "
            + said_of_equal_seeds(self.values)
        ).rstrip()

    def _task_table(self, index: int) -> Table:
        monitor, target = self.monitors[index], float(self.targets[index])
        columns = (
            *("method", f"median {monitor}", "worst", "best", "reached"),
            *("epochs", "steps", "seconds", "in all"),
        )
        rows = []
        for m, name in enumerate(self.methods):
            ranked = np.sort(self._sign * self.values[index, m]) * self._sign
            arrived = np.isfinite(self.steps_to_target[index, m])
            spent = (self.epochs_to_target, self.steps_to_target, self.seconds_to_target)
            times = [float(np.median(each[index, m])) for each in spent]
            row = (name, float(np.median(self.values[index, m])), float(ranked[-1]), float(ranked[0]))
            in_all = float(np.median(np.nanmax(self.seconds[index, m], axis=1)))
            reached = f"{np.sum(arrived)} of {len(arrived)}"
            rows.append((*row, reached, *(t if np.isfinite(t) else None for t in times), in_all))
        untrained = float(np.median(self.untrained[index]))
        goal = f"Target {target:.4g}"
        if np.isnan(target):
            goal = (
                "No method got better than the untrained model" if np.isfinite(untrained) else "No target can be told"
            )
        note = (
            f"{goal}; untrained {untrained:.4g}. Epochs, steps and seconds to the target: the median over the seeds, "
            "empty where most never arrive. In all: seconds of the whole run."
        )
        return Table(self.tasks[index] or "Methods", columns, rows, note=note)

    def _score_table(self) -> Table:
        by_steps, by_seconds = (self._ratios(t) for t in (self.steps_to_target, self.seconds_to_target))
        rows = [
            (name, steps, seconds, f"{np.sum(np.isfinite(by_steps[:, m]))} of {len(self.tasks)}")
            for m, (name, steps, seconds) in enumerate(
                zip(
                    self.methods,
                    _profile.scores(by_steps).tolist(),
                    _profile.scores(by_seconds).tolist(),
                    strict=True,
                )
            )
        ]
        note = "AlgoPerf's score: 1 is the fastest on every task, 0 never within four times the fastest."
        return Table("All tasks", ("method", "score by steps", "score by seconds", "targets reached"), rows, note=note)

    def _profile_chart(self) -> Chart:
        ratio = self._ratios(self.steps_to_target)
        taus = _profile.steps_of_profile(ratio)
        shares = _profile.profile(ratio, taus)
        # A step is drawn as two points, at the share before and the one from there on.
        x = np.repeat(taus, 2)[1:]
        lines = [Line(name, x, np.repeat(share, 2)[:-1]) for name, share in zip(self.methods, shares, strict=True)]
        return Chart(
            "Performance profile", "steps to target over those of the fastest", "share of the tasks", lines=lines
        )

    def _task_chart(self, index: int) -> Chart:
        lines, bands, among = [], [], self.curves[index]
        for m, name in enumerate(self.methods):
            epochs = ~np.all(np.isnan(self.steps[index, m]), axis=0)
            curves = among[m][:, epochs]
            x = np.nanmedian(self.steps[index, m][:, epochs], axis=0)
            lines.append(Line(name, x, without_exploded(np.median(curves, axis=0), among)))
            if len(self.seeds) > 1:
                curves = without_exploded(curves, among)
                bands.append(Band(name, x, np.min(curves, axis=0), np.max(curves, axis=0)))
        task, monitor = self.tasks[index], self.monitors[index]
        title = f"{task}: {monitor}" if task else monitor
        log = is_wide(without_exploded(among, among))
        note = NOTE if any(np.any(np.isnan(line.y)) for line in lines) else ""
        title = f"{title}, median and range of the seeds"
        return Chart(title, "step", monitor, lines=lines, bands=bands, log_y=log, note=note)
