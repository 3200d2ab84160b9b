"""Mistakes in learners, verifiers and rules of a plug-in: for `test_seam`.

By mistake: the place of the part in the configuration, its code, and what the line says, with gaps (...).
"""

IN_MODELS = {
    "a generator without save and load": (
        "learner",
        """
        class Model(Generator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2)))

        class Mine(Learner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model()
        """,
        "Mine.generator_type: Model lacks load and save",
    ),
    "sample returns a dict": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return {"x": rng.random((n, 2)), "label": condition["label"]}

        class Mine(Learner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: got 'dict', expected Samples",
    ),
    "a learner without generator_type": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            def fit(self, samples, init, rng):
                return TinyLearner().fit(samples, init, rng)
        """,
        "Mine does not declare what its fit returns: expected a class attribute generator_type",
    ),
    "samples of other classes than were asked for": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2)), label=(condition["label"] + 1) % 3)

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: got 'other conditions', expected label row for row as they were given",
    ),
    "a role that there is not": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            needs: ClassVar = ("vectr",)
        """,
        "Mine.needs: no such role: got 'vectr', expected one of ... Did you mean 'vector'?",
    ),
    "save opens a file that is not there": (
        "learner",
        """
        class Model(TinyGenerator):
            def save(self, directory):
                (directory / "sub" / "mean.npy").read_bytes()

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.save raised FileNotFoundError",
    ),
    "sources is a list": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def sources(self):
                return ["words.txt"]
        """,
        "Mine.sources: got 'list', expected Mapping, such as",
    ),
    "sources are names": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def sources(self):
                return {"words.txt": "words.txt"}
        """,
        "Mine.sources: words.txt: got 'str', expected Path, such as",
    ),
    "a rule that hands on scores": (
        "acceptance",
        """
        from veriloop.rules.acceptance import Pointwise

        class Mine(Pointwise, frozen=True):
            def decide(self, verdicts, samples, rng):
                return verdicts.decide(verdicts.score)
        """,
        "Mine.decide: accept: got 'float64 of shape ... expected True or False for each of",
    ),
    "a rank that raises": (
        "acceptance",
        """
        from veriloop.rules.acceptance import Ranked

        class Mine(Ranked, frozen=True):
            def rank(self, verdicts, samples, rng):
                return verdicts.score / samples.nothing
        """,
        "Mine.rank failed: got ... AttributeError",
    ),
    "scores that are no numbers": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.full(len(samples), np.nan))
        """,
        "Mine.verify (PLUGIN, line ... open verdicts have no finite score",
    ),
    "a separate __init__": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def __init__(self, known=1):
                self.known = known

            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)))
        """,
        "known is not a field, and parts are frozen. Declare it in the class body, such as known: float",
    ),
    "a validator's own words": (
        "verifier",
        """
        from pydantic import model_validator

        class Mine(TinyVerifier, frozen=True):
            @model_validator(mode="after")
            def _enough(self):
                raise ValueError("known is too small")
        """,
        "arms.verified.verifier: known is too small",
    ),
    "fit returns nothing": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator

            def fit(self, samples, init, rng):
                TinyLearner().fit(samples, init, rng)
        """,
        "Mine.fit: got 'NoneType', expected TinyGenerator, its generator_type",
    ),
    "fit raises": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator

            def fit(self, samples, init, rng):
                return self.weights["mean"]
        """,
        "Mine.fit raised AttributeError: 'Mine' object has no attribute 'weights' (PLUGIN, line 22)",
    ),
    "generator_type is no class": (
        "learner",
        """
        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = "TinyGenerator"
        """,
        "Mine does not declare what its fit returns: got \"generator_type 'TinyGenerator'\"",
    ),
    "a learner without fit": (
        "learner",
        """
        class Mine(Learner, frozen=True):
            generator_type: ClassVar = TinyGenerator
        """,
        "Mine' is incomplete ... no method fit",
    ),
    "too few samples": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).select(slice(n // 2))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                sound = super().fit(samples, init, rng)
                return Model(sound.mean, sound.spread)
        """,
        "Model.sample: got '15 samples', expected 30",
    ),
    "samples without their condition": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).only(["x"])

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                sound = super().fit(samples, init, rng)
                return Model(sound.mean, sound.spread)
        """,
        "Model.sample: got 'columns x', expected label as well",
    ),
    "verify returns an array": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return samples.array("x").sum(axis=1)
        """,
        "Mine.verify: got 'ndarray', expected Verdicts",
    ),
    "too many verdicts": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples) + 1))
        """,
        "Mine.verify: got '25 verdicts', expected 24",
    ),
    "verify raises": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts({"score": 1}["scores"])
        """,
        "Mine.verify raised KeyError: 'scores' (PLUGIN, line 20)",
    ),
    "a judge that is not declared": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def fit(self, previous, generator, real, rng):
                return TinyVerifier().fit(previous, generator, real, rng)
        """,
        "Mine ... judge_type",
    ),
    "a verifier's fit returns nothing": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def fit(self, previous, generator, real, rng):
                pass
        """,
        "Mine.fit: got 'NoneType', expected TinyJudge, its judge_type",
    ),
    "a module that cannot be imported": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            rate: float = 1 / 0
        """,
        "Mine' ... ZeroDivisionError: division by zero",
    ),
    "a field of a type that pydantic does not know": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            weights: np.random.Generator
        """,
        "Mine' ... PydanticSchemaGenerationError",
    ),
    "a validator that raises": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def model_post_init(self, context):
                {}["x"]
        """,
        "Mine' cannot be built from its settings ... KeyError: 'x'",
    ),
    "a validator that exits": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def model_post_init(self, context):
                raise SystemExit("no licence")
        """,
        "Mine' cannot be built from its settings ... SystemExit: no licence",
    ),
    "a look at the schema that exits": (
        "verifier",
        """
        class Mine(TinyVerifier, frozen=True):
            def suited_to(self, schema):
                raise SystemExit(0)
        """,
        "Mine.suited_to raised SystemExit: 0",
    ),
    "fit exits": (
        "learner",
        """
        class Mine(TinyLearner, frozen=True):
            def fit(self, samples, init, rng):
                raise SystemExit("out of patience")
        """,
        "Mine.fit raised SystemExit: out of patience (PLUGIN, line 20)",
    ),
    "verify exits": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                raise SystemExit(3)
        """,
        "Mine.verify raised SystemExit: 3 (PLUGIN, line 20)",
    ),
    "samples of half the precision": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 2), np.float32))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'float32 of shape (2,)', expected float64 of shape (2,)",
    ),
    "samples of another kind of number": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.integers(3, size=(n, 2)))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'int64 of shape (2,)', expected float64 of shape (2,)",
    ),
    "samples of another shape": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=rng.random((n, 3)))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'float64 of shape (3,)', expected float64 of shape (2,)",
    ),
    "text in place of numbers": (
        "learner",
        """
        class Model(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return condition.with_columns(x=["0 0"] * n)

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Model

            def fit(self, samples, init, rng):
                return Model(np.zeros((3, 2)), np.ones((3, 2)))
        """,
        "Model.sample: column 'x': got 'text', expected float64 of shape (2,)",
    ),
    "decisions that no byte can hold": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), np.full(len(samples), 257))
        """,
        "Mine.verify (PLUGIN, ... decision of a verdict: got '257', expected ACCEPT, REJECT, ABSTAIN or OPEN",
    ),
    "reasons that are no texts": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), np.full(len(samples), 2), [None] * len(samples))
        """,
        "Mine.verify (PLUGIN, ... reasons of verdicts: got 'NoneType', expected texts",
    ),
    "a log of words": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)), logged={"length": ["long"]})
        """,
        "Mine.verify (PLUGIN, ... what verdicts log as 'length': got ... expected numbers",
    ),
    "a verifier that waits": (
        "verifier",
        """
        class Mine(Verifier, frozen=True):
            async def verify(self, samples, rng):
                return Verdicts(np.zeros(len(samples)))
        """,
        "Mine.verify: got 'coroutine', expected Verdicts",
    ),
    "a model that has diverged": (
        "learner",
        """
        class Broken(TinyGenerator):
            def sample(self, n, rng, condition=None):
                return super().sample(n, rng, condition).with_columns(x=np.full((n, 2), np.nan))

        class Mine(TinyLearner, frozen=True):
            generator_type: ClassVar = Broken

            def fit(self, samples, init, rng):
                fitted = super().fit(samples, init, rng)
                return Broken(fitted.mean, fitted.spread)
        """,
        "The samples contain numbers that are not finite: 24 of 24 rows of column 'x'",
    ),
}
