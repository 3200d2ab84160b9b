"""Mistakes in data sets, metrics, schedules, policies and executors of a plug-in: for `test_seam`.

By mistake: the place of the part in the configuration, its code, and what the line says, with gaps (...).
"""

IN_DATA = {
    "a metric without quantities": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, 0.1)}
        """,
        "Mine does not declare its quantities: expected a class attribute quantities",
    ),
    "real data without a split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(start=data.start, train=data.train, conditions=data.conditions)
        """,
        "Mine.load raised TypeError: RealData.__init__() missing 1 required positional argument: 'test'",
    ),
    "arrays in place of Samples": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                x = np.zeros((90, 2))
                return RealData(start=x[:30], train=x[:60], test=x[60:])
        """,
        "Mine.load: start: got 'ndarray', expected Samples",
    ),
    "measure returns a float": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}

            def measure(self, evaluation, rng):
                return 0.5
        """,
        "Mine.measure: got 'float', expected Mapping, such as {'quality': Estimate(value, se)}",
    ),
    "a schema of other columns": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"y": Vector(p=2), "label": Label(classes=3)})
        """,
        "Mine.schema: got 'columns y, label', expected ... as in the data that it loads",
    ),
    "a standard error below 0": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, -0.1)}
        """,
        "Mine.measure: quality: standard error: got -0.1, expected 0 or more",
    ),
    "load returns a tuple": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return data.start, data.train, data.test
        """,
        "Mine.load: got 'tuple', expected RealData",
    ),
    "load returns an empty test split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.test.select(slice(0)), data.conditions)
        """,
        "test: got 'no samples', expected at least one",
    ),
    "splits of different columns": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.test.only(["x"]), data.conditions)
        """,
        "Mine.load: columns of test: got 'x', expected x, label, as train",
    ),
    "load raises": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                return open("no such file").read()
        """,
        "Mine.load raised FileNotFoundError",
    ),
    "quantities are words": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"gap": "lower"}
        """,
        "Mine does not declare its quantities: got \"{'gap': 'lower'}\"",
    ),
    "quantities are names": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = ("gap",)
        """,
        "Mine does not declare its quantities: got \"('gap',)\"",
    ),
    "another quantity than declared": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"quality": Quantity(better="higher")}
        """,
        "Mine.measure: got 'gap', expected its quantities quality",
    ),
    "numbers in place of estimates": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": 0.5}
        """,
        "Mine.measure: gap: got 'float', expected Estimate",
    ),
    "a schedule that goes below zero": (
        "schedule",
        """
        class Mine(Schedule, frozen=True):
            def wanted(self, round_):
                return -round_
        """,
        "Mine.wanted(1): got '-1', expected a whole number of at least 1",
    ),
    "a schedule of halves": (
        "schedule",
        """
        class Mine(Schedule, frozen=True):
            def wanted(self, round_):
                return round_ / 2
        """,
        "Mine.wanted(1): got '0.5'",
    ),
    "a policy that trains on nothing": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return start.select(slice(0))
        """,
        "Mine.training_set: got 'no samples'",
    ),
    "a policy that gives a list": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return [start, *kept]
        """,
        "Mine.training_set: got 'list', expected Samples",
    ),
    "load exits": (
        "dataset",
        """
        class Mine(TinyData, frozen=True):
            def load(self, seed):
                raise SystemExit
        """,
        "Mine.load raised SystemExit",
    ),
    "measure exits": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                raise SystemExit(0)
        """,
        "Mine.measure raised SystemExit: 0",
    ),
    "splits of different types": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                test = data.test.with_columns(x=data.test.array("x").astype(np.float32))
                return RealData(data.start, data.train, test, data.conditions)
        """,
        "Mine.load: test: column 'x': got 'float32 of shape (2,)', expected float64 ... as in train",
    ),
    "a test split that is the training split": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                return RealData(data.start, data.train, data.train, data.conditions)
        """,
        "Mine: test contains only training rows (by x, label): got '150 of 150'",
    ),
    "a validation split that was trained on": (
        "dataset",
        """
        class Mine(Dataset, frozen=True):
            def load(self, seed):
                data = TinyData().load(seed)
                backwards = data.train.select(np.arange(len(data.train))[::-1])
                return RealData(data.start, data.train, data.test, data.conditions, validation=backwards)
        """,
        "Mine: validation contains only training rows (by x, label): got '300 of 300'",
    ),
    "map exits": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                raise SystemExit(1)
                yield
        """,
        "Mine.map raised SystemExit: 1 (PLUGIN, line 22)",
    ),
    "map raises": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(item) for item in items]
        """,
        "Mine.map raised TypeError: ... missing 1 required positional argument",
    ),
    "too few results": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(shared, item) for item in items][:-1]
        """,
        "Mine.map: got '0 results', expected 1",
    ),
    "too many results": (
        "executor",
        """
        from veriloop.executors.base import Executor

        class Mine(Executor, frozen=True):
            def map(self, function, items, shared=None):
                return [function(shared, item) for item in items] * 2
        """,
        "Mine.map: got 'more results', expected 1",
    ),
    "a number above its bound": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"share": Quantity(low=0, high=1)}

            def measure(self, evaluation, rng):
                return {"share": Estimate(43.7, 0.1)}
        """,
        "Mine.measure: share: got 43.7, expected a finite number from 0 to 1",
    ),
    "a number below its bound": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"distance": Quantity(low=0)}

            def measure(self, evaluation, rng):
                return {"distance": Estimate(-0.01, 0.1)}
        """,
        "Mine.measure: distance: got -0.01, expected a finite number from 0 to inf",
    ),
    "an infinite number": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(float("inf"), 0.1)}
        """,
        "Mine.measure: quality: got inf, expected a finite number from -inf to inf",
    ),
    "no number, with an error": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(float("nan"), 0.1)}
        """,
        "Mine.measure: quality: got nan, expected a finite number ... Estimate(nan, nan) where it cannot",
    ),
    "a schema with another size": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"x": Vector(p=3), "label": Label(classes=3)})
        """,
        "Mine.schema: column 'x' of start does not fit the role vector: got 'shape (2,)', expected 3 numbers",
    ),
    "a schema with too few classes": (
        "dataset",
        """
        from veriloop.schema import Label, Schema, Vector

        class Mine(TinyData, frozen=True):
            def schema(self):
                return Schema({"x": Vector(p=2), "label": Label(classes=2)})
        """,
        "Mine.schema: column 'label' of start does not fit the role label: got '0 to 2', expected 0 to 1",
    ),
    "words that no file can hold": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                raise ValueError("half \\udcff of a pair")
        """,
        "Mine.measure raised ValueError: half ? of a pair",
    ),
    "a value that is an array": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": Estimate(np.array([0.5, 0.6]), 0.1)}
        """,
        "Estimate.value: got '[0.5 0.6]', expected a valid number",
    ),
    "an interval the wrong way round": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            def measure(self, evaluation, rng):
                return {"gap": Estimate(0.5, 0.1, interval=(2.0, 1.0))}
        """,
        "Mine.measure: gap: interval: got '2 to 1', expected the lower end first",
    ),
    "a direction that there is not": (
        "metrics",
        """
        class Mine(TinyMetric, frozen=True):
            quantities: ClassVar = {"gap": Quantity(better="up")}
        """,
        "Quantity.better: got ... expected 'higher' or 'lower'",
    ),
    "a policy that gives other types": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            def training_set(self, start, kept, rng):
                return kept[-1].with_columns(x=kept[-1].array("x").astype(np.float32))
        """,
        "Mine.training_set: column 'x': got 'float32 of shape (2,)', expected float64 of shape (2,)",
    ),
    "a policy that reads what there is not": (
        "policy",
        """
        class Mine(DataPolicy, frozen=True):
            reads: ClassVar = "test"

            def training_set(self, start, kept, rng):
                return start
        """,
        "Mine.reads: got 'test', expected start or unseen",
    ),
    "an infinite error": (
        "metrics",
        """
        class Mine(Metric, frozen=True):
            quantities: ClassVar = {"quality": Quantity()}

            def measure(self, evaluation, rng):
                return {"quality": Estimate(0.5, float("inf"))}
        """,
        "Mine.measure: quality: standard error: got inf, expected 0 or more and finite",
    ),
}
