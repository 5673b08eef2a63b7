"""The mistakes of a first hour: each is named, with the value that was received and what to do."""

import keras
import numpy as np
import pytest

import keras_lr
from keras_lr import finder, line_search, optimizers, schedules

pytestmark = pytest.mark.above_backends

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def build(optimizer="adam", loss="mse"):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss=loss)
    return model


def not_compiled():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])


def saturated():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    model.compile("adam", "mse")
    return model


def trained():
    model = build()
    model.fit(X, Y, verbose=0)
    return model


def frozen_since():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    return model


def half_precision():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype="bfloat16")])
    model.compile("adam", "mse")
    return model


def counted_by_keras_2():
    model = not_compiled()
    model.compile("adam", "mse", jit_compile=False, steps_per_execution="auto")
    return model


def table():
    pandas = pytest.importorskip("pandas")
    columns = {"size": X[:, 0].astype("float64"), "city": ["Graz"] * 64, "day": pandas.Timestamp("2020-01-01")}
    return pandas.DataFrame(columns)


def classifier(**options):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(**options))
    return model


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return X[:8], Y[:8]


def of_two_outputs():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, {name: keras.layers.Dense(1, name=name)(inputs) for name in ("price", "size", "more")})
    model.compile("adam", loss={"price": "mse", "size": "mae", "more": None})
    return model


def endless():
    while True:
        yield X[:8], Y[:8]


def several():
    one, other = keras.optimizers.SGD(0.1), keras.optimizers.Adam()
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(one, {"body.*": other}))


def averaging():
    return keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=10)


def curve():
    rates = np.geomspace(1e-5, 10, 50)
    return finder.RangeTestResult(rates, (1 / (1 + rates / 0.01) + rates**2)[None])


AVERAGE = r"ema_overwrite_frequency=10 .*neither a short trial nor a guard can tell.*Leave it out"
AS_A_TASK = r"model=Task\(.* is not a keras\.Model.*of a keras_lr\.Task, \(task\.model\(\), task\.x, task\.y\)"

MISTAKES = {
    "the data first": (lambda: keras_lr.fit(X, Y), r"model=ndarray of shape \(64, 4\).*The compiled model comes first"),
    "the builder": (
        lambda: keras_lr.fit(build, X, Y),
        r"model=<function build.*of a function that builds one, what it",
    ),
    "a model to sweep": (
        lambda: keras_lr.sweep(build(), X, Y),
        r"task=<Sequential.* is not a keras_lr\.Task.*keras_lr\.Task\(build=build_model, x=x, y=y",
    ),
    "a model to compare": (
        lambda: keras_lr.compare(build(), x=X, y=Y),
        r"task=<Sequential.* is not a keras_lr\.Task.*keras_lr\.Task\(build=build_model, x=x, y=y",
    ),
    "a task to train": (lambda: keras_lr.fit(keras_lr.Task(build, X, Y)), AS_A_TASK),
    "a task to race": (lambda: keras_lr.race(keras_lr.Task(build, X, Y)), AS_A_TASK),
    "a task to test": (lambda: keras_lr.range_test(keras_lr.Task(build, X, Y)), AS_A_TASK),
    "a task to diagnose": (lambda: keras_lr.diagnose(keras_lr.Task(build, X, Y)), AS_A_TASK),
    "no data to race on": (lambda: keras_lr.race(build()), "x=None: give the training data as x"),
    "no rows": (lambda: keras_lr.fit(build(), X[:0], Y[:0]), "x has no rows"),
    "a name of an optimizer": (lambda: keras_lr.fit("adam", X, Y), "model='adam' of type str is not a keras.Model"),
    "not compiled": (lambda: keras_lr.diagnose(not_compiled(), X, Y), r"is not compiled\. Call model\.compile\("),
    "rows that do not match": (lambda: keras_lr.fit(build(), X, Y[:9]), "x has 64 rows, y has 9 rows"),
    "weights that do not match": (
        lambda: keras_lr.race(build(), X, Y, sample_weight=np.ones(5)),
        "x has 64 rows, y has 64 rows, sample_weight has 5 rows",
    ),
    "an optimizer of another model": (
        lambda: keras_lr.fit(build(trained().optimizer), X, Y),
        r"Adam was built for 2 weights that are not the 2 which .*it has trained another model, or .* \.h5 file\. Comp",
    ),
    "a layer frozen after compile": (
        lambda: keras_lr.race(frozen_since(), X, Y),
        r"Adam was built for 4 weights that are not the 2 which .* trains now: layer\.trainable was changed since",
    ),
    "weights of half precision": (
        lambda: keras_lr.fit(half_precision(), X, Y, epochs=9),
        r"the weights are not of half precision.*'mixed_bfloat16' keeps them in float32",
    ),
    "the steps per execution of Keras 2": (
        lambda: keras_lr.fit(counted_by_keras_2(), X, Y),
        r"compiled with steps_per_execution='auto', and Keras 3 executes a whole number.*Compile again without it",
    ),
    "a list of targets": (
        lambda: keras_lr.fit(build(), X, Y.tolist()),
        r"x is a ndarray and y a list, which Keras does not take together.*np\.asarray makes an array",
    ),
    "no targets": (lambda: keras_lr.fit(build(), X), "y=None, and the loss 'mse' compares predictions with targets"),
    "targets of other names": (
        lambda: keras_lr.fit(of_two_outputs(), X, {"price": Y, "sise": Y}),
        "y holds targets named 'price', 'sise', and the loss of the output 'size' finds none. Give the targets the",
    ),
    "held-out targets of other names": (
        lambda: keras_lr.fit(of_two_outputs(), X, {"price": Y, "size": Y}, validation_data=(X, {"price": Y})),
        "validation_data cannot be evaluated, .*y holds targets named 'price', and the loss of the output 'size'",
    ),
    "a pair": (lambda: keras_lr.fit(build(), (X, Y)), "y=None, and the loss 'mse'.*Pass them as y"),
    "inputs that are not scaled": (
        lambda: keras_lr.fit(saturated(), 1e6 * np.abs(X), Y > 0, epochs=9),
        "that the inputs are scaled",
    ),
    "no epochs": (lambda: keras_lr.fit(build(), X, Y, epochs=0), "epochs=0 leaves nothing to train; give 1 or more"),
    "no epochs left": (
        lambda: keras_lr.fit(build(), X, Y, epochs=2, initial_epoch=3),
        "epochs=2 from initial_epoch=3 leaves nothing to train; give 4 or more",
    ),
    "no epochs to race for": (lambda: keras_lr.race(build(), X, Y, epochs=0), "epochs=0 leaves nothing to train"),
    "epochs as text": (lambda: keras_lr.diagnose(build(), X, Y, epochs="3"), "epochs='3': give a whole number"),
    "half a batch": (lambda: keras_lr.fit(build(), X, Y, batch_size=0.5), "batch_size=0.5: give a whole number of at"),
    "no steps": (
        lambda: keras_lr.fit(build(), X, Y, steps_per_epoch=0),
        "steps_per_epoch=0: give a whole number of at",
    ),
    "a split in per cent": (
        lambda: keras_lr.fit(build(), X, Y, validation_split=20),
        "validation_split=20: give the fraction of the rows",
    ),
    "a split of a data set": (
        lambda: keras_lr.fit(build(), Batches(), validation_split=0.2),
        "validation_split=0.2, and x is a Batches, of which Keras takes no rows off. Split it",
    ),
    "a generator": (lambda: keras_lr.fit(build(), endless()), "x=generator: it has no length. Pass steps_per_epoch="),
    "a search as a class": (
        lambda: optimizers.LineSearch(line_search.PAL),
        r"a search such as line_search\.PAL\(\)",
    ),
    "a rate for a search": (lambda: optimizers.GradientOnly(0.1), "no learning rate, as rule. Received: rule=0.1"),
    "a rule as a class": (lambda: optimizers.GradientOnly(line_search.Inexact), "Received: rule=<class"),
    "a use as text": (lambda: curve().suggest(use="peak"), r"use='peak': give keras_lr\.finder\.Use\.CONSTANT or"),
    "a choice as text": (
        lambda: line_search.Quadratic("values"),
        r"takes Enforced\.SLOPES, .* or Enforced\.LEAST_SQUARES as enforced\. Received: enforced='values'",
    ),
    "a ramp as text": (
        lambda: schedules.WarmUp(0.1, 10, ramp="linear"),
        r"WarmUp takes Ramp\.BETWEEN, .*as ramp\. Received: ramp='linear'",
    ),
    "a function as a rule": (
        lambda: curve().suggest(lambda rates, losses, steps: 1e-3),
        r"rule=<function .* is not known; there are valley, ",
    ),
    "no path to save at": (lambda: curve().save(3), r"path=3: give the path of a page, 'report\.html', or of data"),
    "no narrow model": (
        lambda: optimizers.mup_adam(build(), None),
        r"narrow=None is not a keras\.Model\. .*give a model that is built",
    ),
    "a rule as a number": (lambda: curve().suggest(0.5), r"rule=0\.5 is not known; there are "),
    "a search over changing batches": (
        lambda: optimizers.LineSearch(line_search.Inexact()),
        r"within one batch.*Received: search=Inexact\(\)\. .*next batch: GradientOnly\(line_search\.Inexact\(\)\)",
    ),
    "a rate as direction": (
        lambda: optimizers.LineSearch(line_search.PAL(), 0.1),
        r"an optimizer, such as SGD\(1\.0, momentum=0\.9\), or its name as direction\. Received: direction=0\.1",
    ),
    "an optimizer as direction": (
        lambda: optimizers.GradientOnly(direction="adam"),
        r"takes a direction such as optimizers\.AdamDirection\(\) as direction\. Received: direction='adam'",
    ),
    "a search that is not made": (
        lambda: optimizers.LineSearch(line_search.SLS),
        r"LineSearch takes a search such as line_search\.PAL\(\) as search\. Received: search=<function SLS",
    ),
    "a first trial as search": (
        lambda: optimizers.LineSearch(line_search.Growing()),
        r"EachStep takes a search such as Backtracking\(\) as search\. Received: search=Growing\(",
    ),
    "a search for another": (
        lambda: optimizers.LBFGS(search=line_search.PAL()),
        r"LBFGS takes line_search\.StrongWolfe\(\.\.\.\) as search\. Received: search=PAL\(",
    ),
    "limits as a number": (
        lambda: optimizers.GradientOnly(limits=30),
        r"GradientOnly takes line_search\.Limits\(\.\.\.\) as limits\. Received: limits=30",
    ),
    "several optimizers with factors": (
        lambda: optimizers.PerLayer(several(), {"body": 0.1}),
        r"MultiOptimizer holds several optimizers, each for layers of its own: give each the rate",
    ),
    "several optimizers to tune": (
        lambda: optimizers.Mechanic(several()),
        r"MultiOptimizer holds several optimizers, each with a rate of its own",
    ),
    "a rate for a method without": (
        lambda: optimizers.COCOB(learning_rate=schedules.Linear(1.0, 100)),
        r"COCOB takes no learning_rate.*Received: learning_rate=Linear\(.*Leave it out",
    ),
    "a rate for a method with one inside": (
        lambda: optimizers.Mechanic(keras.optimizers.SGD(1.0), learning_rate=0.5),
        r"Mechanic takes no learning_rate, .*inside it\. Received: learning_rate=0\.5\. Give it to that optimizer",
    ),
    "a name of no optimizer to tune": (
        lambda: optimizers.Mechanic("sdg"),
        r"Mechanic takes an optimizer, such as SGD\(.*, or its name as optimizer\. Received: optimizer='sdg'",
    ),
    "a number for an optimizer on a cycle": (
        lambda: optimizers.one_cycle(0.1, schedules.OneCycle(0.1, 100)),
        r"^one_cycle takes an optimizer, .*, or its name as optimizer\. Received: optimizer=0\.1",
    ),
    "a negative rate": (
        lambda: optimizers.Prodigy(-1.0),
        r"Prodigy takes a number of at least 0 as learning_rate\. Received: learning_rate=-1\.0\. A schedule",
    ),
    "progress as a number": (
        lambda: keras_lr.race(build(), X, Y, progress=1),
        r"progress=1: give True for a line every 5 seconds, False for none, or a function of what is done",
    ),
    "progress of a sweep as text": (
        lambda: keras_lr.sweep(keras_lr.Task(build, X, Y), progress="bar"),
        r"progress='bar': give True for a line every 5 seconds, False for none, or a function of what is done",
    ),
    "a storage as a number": (
        lambda: keras_lr.sweep(keras_lr.Task(build, X, Y), storage=3),
        r"storage=3 is no storage\. Give the path of an SQLite file",
    ),
    "a flag as text": (
        lambda: keras_lr.sweep(keras_lr.Task(build, X, Y), widen="no"),
        r"sweep takes True or False as widen\. Received: widen='no'",
    ),
    "a monitor as a number": (
        lambda: keras_lr.sweep(keras_lr.Task(build, X, Y), monitor=0.5),
        r"monitor=0\.5: give a name in the logs",
    ),
    "a seed as text": (
        lambda: keras_lr.fit(build(), X, Y, seed="0"),
        r"fit takes a whole number from 0 .*Received: seed='0'",
    ),
    "weights of classes as a list": (
        lambda: keras_lr.fit(build(), X, Y, class_weight=[1.0, 2.0]),
        r"class_weight=\[1\.0, 2\.0\]: give a dictionary",
    ),
    "a weight for all rows": (
        lambda: keras_lr.fit(build(), X, Y, sample_weight=0.5),
        "x is a ndarray and sample_weight a float, which Keras does not take together",
    ),
    "a list of rows": (
        lambda: keras_lr.race(build(), [list(row) for row in X], Y),
        r"x is a list of 256 values, and has no rows: give an array.*np\.asarray makes one of lists",
    ),
    "a list of arrays": (
        lambda: keras_lr.race(build(), list(X), Y),
        r"x has 4 rows, y has 64 rows.*The list x is taken for several arrays; np\.stack makes one of them",
    ),
    "texts as targets": (
        lambda: keras_lr.fit(build(), X, np.array(["cat", "dog"] * 32)),
        r"y has values that are no numbers to Keras, of dtype <U3: number the classes, as by `classes, y = np\.uni",
    ),
    "objects": (
        lambda: keras_lr.fit(build(), X.astype(object), Y),
        r"x has values that are no numbers to Keras, of dtype object: make floats.*x\.astype\('float32'\)",
    ),
    "texts and dates in a table": (
        lambda: keras_lr.range_test(build(), table(), Y),
        r"no numbers to Keras, in columns 'city' \((str|object)\), 'day' \(datetime64\[.*\]\): make",
    ),
    "classes from 1": (
        lambda: keras_lr.fit(classifier(), X, np.arange(64) % 3 + 1),
        r"y holds class numbers from 1 to 3, and the model .* has outputs for 0 to 2\. Number the classes from 0",
    ),
    "no class": (
        lambda: keras_lr.race(classifier(ignore_class=5), X, np.arange(64) % 4 - 1),
        r"y holds class numbers from -1 to 2, .*SparseCategoricalCrossentropy\(ignore_class=-1\)",
    ),
    "texts to validate on": (
        lambda: keras_lr.fit(build(), X, Y, validation_data=(X, np.array(["cat", "dog"] * 32))),
        r"validation_data cannot be evaluated, and nothing was trained yet: y has values that are no .*<U3",
    ),
    "no sample weights": (
        lambda: keras_lr.fit(build(), X, Y, sample_weight=[]),
        r"sample_weight=\[\] has no rows: give an array",
    ),
    "a number as data": (
        lambda: keras_lr.race(build(), np.float32(1), Y),
        r"x=np\.float32\(1\.0\) has no rows: give an",
    ),
    "weights of classes by name": (
        lambda: keras_lr.diagnose(build(), X, Y, class_weight={"cat": 2.0}),
        r"class_weight=\{'cat': 2\.0\}: give a dictionary",
    ),
    "an order as text": (lambda: keras_lr.fit(build(), X, Y, shuffle="no"), "True or False as shuffle.*shuffle='no'"),
    "silence as text": (lambda: keras_lr.fit(build(), X, Y, verbose="silent"), "verbose='silent': give 0 for silence"),
    "never evaluated": (
        lambda: keras_lr.fit(build(), X, Y, validation_data=(X, Y), validation_freq=0),
        "validation_freq=0: give a whole number of at least 1",
    ),
    "an epoch to evaluate after as text": (
        lambda: keras_lr.fit(build(), X, Y, validation_data=(X, Y), validation_freq=[1, "last"]),
        r"validation_freq=\[1, 'last'\]: give a whole number of at least 1",
    ),
    "validation data to sweep on": (
        lambda: keras_lr.sweep(keras_lr.Task(build, X, Y, validation_data=(X, Y[:9])), [0.1]),
        "validation_data cannot be evaluated.*x has 64 rows, y has 9 rows",
    ),
    "validation data to compare on": (
        lambda: keras_lr.compare(keras_lr.Task(build, X, Y, validation_data=(X, None)), {"0.1": 0.1}, monitor="loss"),
        "validation_data cannot be evaluated.*y=None, and the loss 'mse'",
    ),
    "validation data to test on": (
        lambda: keras_lr.range_test(build(), X, Y, validation_data=(X[:, :3], Y)),
        r"(?s)validation_data cannot be evaluated.*to have value 4, but received input with shape",
    ),
    "half a batch in a task": (
        lambda: keras_lr.Task(build, X, Y, batch_size=0.5),
        "batch_size=0.5: give a whole number",
    ),
    "no steps in a task": (lambda: keras_lr.Task(build, X, Y, steps_per_epoch=0), "steps_per_epoch=0: give a whole"),
    "no steps to evaluate in a task": (
        lambda: keras_lr.Task(build, X, Y, validation_steps=0),
        "validation_steps=0: give a whole number",
    ),
    "a first epoch before the first": (
        lambda: keras_lr.fit(build(), X, Y, initial_epoch=-1),
        "initial_epoch=-1: give a whole number, the epochs that were done before",
    ),
    "rates of layers for a dictionary": (
        lambda: optimizers.PerLayer({"learning_rate": 0.1}, {"kernel": 0.5}),
        r"PerLayer takes an optimizer.* as optimizer\. Received: optimizer=\{'learning_rate': 0\.1\}",
    ),
    "rates of layers for nothing": (
        lambda: optimizers.PerLayer(None, {"kernel": 0.5}),
        "PerLayer takes an optimizer.* as optimizer. Received: optimizer=None",
    ),
    "a first epoch as text": (
        lambda: keras_lr.fit(build(), X, Y, initial_epoch="1"),
        "initial_epoch='1': give a whole number",
    ),
    "a backup as a flag": (
        lambda: keras_lr.fit(build(), X, Y, backup_dir=True),
        "backup_dir=True: give the path of a directory",
    ),
    "a callback as text": (
        lambda: keras_lr.fit(build(), X, Y, callbacks="early"),
        r"callbacks holds 'early', which is no keras\.callbacks\.Callback",
    ),
    "one rate for several": (
        lambda: schedules.Piecewise((10,), 0.1),
        r"a tuple or a list, as learning_rates\. Received: learning_rates=0\.1",
    ),
    "a rate as text": (
        lambda: keras_lr.set_learning_rate(build(), "0.1"),
        r"a schedule, a number or a function of the step as learning_rate\. Received: learning_rate='0\.1'",
    ),
    "a spacing as text": (
        lambda: keras_lr.range_test(build(), X, Y, spacing="linear"),
        r"spacing='linear': give keras_lr\.finder\.Spacing\.EXPONENTIAL or",
    ),
    "the rate first": (lambda: keras_lr.set_learning_rate(0.1, build()), "model=0.1 is not a keras.Model"),
    "a model to set no rate of": (lambda: keras_lr.set_learning_rate(not_compiled(), 0.1), "is not compiled. Call"),
    "epochs that nobody resolved": (
        lambda: schedules.Cosine(1e-2, schedules.Epochs(3)).values([0]),
        r"nobody said yet how many steps that is\. Train with .*Horizon\(\)\].*the model again",
    ),
    "a callback as a class": (
        lambda: keras_lr.fit(build(), X, Y, callbacks=[keras.callbacks.EarlyStopping]),
        r"the class EarlyStopping itself\. Make a callback of it: callbacks=\[EarlyStopping\(\.\.\.\)\]",
    ),
    "an optimizer that forgets the first weights": (
        lambda: keras_lr.fit(build(optimizers.PerLayer("ftrl", {"kernel": 0.5})), X, Y),
        r"Ftrl makes the weights anew from its sums.*keras_lr\.sweep\(task, rates=",
    ),
    "a race of an optimizer that forgets": (lambda: keras_lr.race(build("ftrl"), X, Y), "Ftrl makes the weights anew"),
    "a test of an optimizer that forgets": (lambda: keras_lr.range_test(build("ftrl"), X, Y), "Ftrl makes the weights"),
    "a diagnosis of an optimizer that forgets": (lambda: keras_lr.diagnose(build("ftrl"), X, Y), "Ftrl makes the we"),
    "an average over the weights in a test": (lambda: keras_lr.range_test(build(averaging()), X, Y), AVERAGE),
    "an average over the weights in a diagnosis": (lambda: keras_lr.diagnose(build(averaging()), X, Y), AVERAGE),
    "an average over the weights beside a guard": (
        lambda: build(averaging()).fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard()]),
        AVERAGE,
    ),
    "a share for steps": (
        lambda: schedules.Cosine(1e-2, 1000).warmed_up(0.1),
        r"at least one step as warmup_steps\. Received: warmup_steps=0\.1\. .*give Fraction\(0\.1\)",
    ),
    "a share for the steps of a part": (
        lambda: schedules.WSD(1e-2, 1000, warmup_steps=0.1),
        r"WSD takes .* of at least one step as warmup_steps\. .*give Fraction\(0\.1\)",
    ),
    "shares for boundaries": (
        lambda: schedules.Piecewise((0.5, 0.75), (1e-2, 1e-3, 1e-4)),
        r"at least one step as boundaries\[0\]\. Received: boundaries\[0\]=0\.5.*give Fraction\(0\.5\)",
    ),
    "a schedule without its room": (lambda: keras_lr.OneCycle, "no attribute 'OneCycle'; it has attach, callbacks"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_names_the_value_and_the_remedy(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError, AttributeError), match=message):
        make()


def test_a_loss_that_needs_no_targets_is_not_asked_for_them():
    class AddsItsLoss(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.mean(x**2))
            return x

    inputs = keras.Input((4,))
    model = keras.Model(inputs, AddsItsLoss()(keras.layers.Dense(2)(inputs)))
    model.compile(optimizer="sgd")
    assert keras_lr.fit(model, X, epochs=2, verbose=0).completed


def test_rows_without_a_class_and_rows_that_do_not_count_may_have_any_number():
    labels = np.arange(64) % 4 - 1
    assert keras_lr.fit(classifier(ignore_class=-1), X, labels, epochs=4, verbose=0).completed
    if keras.backend.backend() == "jax":  # the others compute with them
        assert keras_lr.fit(classifier(), X, labels, sample_weight=labels >= 0, epochs=4, verbose=0).completed
