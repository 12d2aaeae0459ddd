"""What each job of a run has to compute, in multiplications and additions: what sets a long job apart from a short one.

The counts leave out what does not grow with the paper's size. What a job's arithmetic takes in seconds is `rates`' to say, rule
by rule: 1e9 of a sparse training step are not 1e9 of a language model's forward pass.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from wta_sae.forecast.model_sizes import ModelSizes
from wta_sae.plan.labelled_sets import text_counts
from wta_sae.plan.run_plan import RunPlan
from wta_sae.plan.saes import SAESpec
from wta_sae.plan.schedule import steps_of
from wta_sae.variants.registry import VARIANTS

DENSE_PRODUCTS = 5  # matrix products of a dense training step
BYTES = {"float32": 4, "bfloat16": 2}
FORWARD_AND_BACK = 3  # forward passes that a training step of a language model costs
CHARACTERS_OF_A_PACKAGE = 3e6  # of documentation: the default run's eight packages have 24.6 million
CHARACTERS_OF_A_TOKEN = 4


class WorkflowJob(NamedTuple):
    """A job of the workflow. name: which of its rule's it is, as its log file is named; "" where the rule has one."""

    rule: str
    name: str = ""
    threads: int = 1
    on_gpu: bool = False

    @classmethod
    def of_log(cls, log: str, threads: int = 1, on_gpu: bool = False) -> "WorkflowJob":
        """log: RUN/logs/RULE.log or RUN/logs/RULE/NAME.log, whatever comes before."""
        rule, _, name = log.rpartition("/logs/")[2].removesuffix(".log").partition("/")
        return cls(rule, name, threads, on_gpu)


class Workload:
    """The jobs' arithmetic, by a config, its plan and the language model's sizes."""

    def __init__(self, config: Mapping[str, Any], plan: RunPlan, sizes: ModelSizes):
        self.config, self.plan, self.sizes = config, plan, sizes
        self.length = config["text"]["context_length"]
        self.texts = text_counts(config)
        self.all_texts = sum(self.texts.values())
        # Of a token: a block's weights, and scores and their use over half a context; two operations a weight.
        block = 24 * sizes.width**2 + 2 * self.length * sizes.width
        self.lower = (config["language_model"]["layer"] + 1) * block
        self.whole = sizes.blocks * block + 2 * sizes.width * sizes.vocabulary

    def operations(self, job: WorkflowJob) -> float:
        """0 for a job whose time is all start-up, or unknown."""
        formula = FORMULAS.get(job.rule)
        return float(formula(self, job.name)) if formula else 0.0

    def saes_of(self, name: str) -> list[SAESpec]:
        """Those of a training job, which is named by its first."""
        group = next((group for group in self.plan.together if group[0] == name), (name,))
        return [self.plan.saes[sae] for sae in group]

    def latents(self, spec: SAESpec) -> int:
        return int(dict(spec.training).get("latents", self.config["training"]["latents"]))

    @property
    def characters(self) -> float:
        """Of the text: of the hub as many as are asked for, else about."""
        text = self.config["text"]
        match text["source"]:
            case "hub":
                return float(text["hub"]["characters"])
            case "docstrings":
                return CHARACTERS_OF_A_PACKAGE * len(text["docstrings"]["packages"])
            case _:
                return CHARACTERS_OF_A_TOKEN * text["train_contexts"] * self.length / (1 - text["evaluation_share"])

    def tokens(self, contexts: str) -> int:
        """In all contexts of a kind: train, evaluation, calibration; for an ablation as many as for training."""
        text = self.config["text"]
        return text.get(f"{contexts}_contexts", text["train_contexts"]) * self.length

    def train_language_model(self, _: str) -> float:
        own = self.config["language_model"]["train"]
        return FORWARD_AND_BACK * own["steps"] * own["batch_contexts"] * self.length * self.whole

    def cache_activations(self, _: str) -> float:
        return self.config["activations"]["tokens"] * self.lower

    def train_saes(self, name: str) -> float:
        seen = self.config["activations"]["tokens"] * self.config["training"]["epochs"]
        return sum(2 * DENSE_PRODUCTS * seen * self.sizes.width * self.latents(spec) for spec in self.saes_of(name))

    @property
    def steps(self) -> int:
        """Of every SAE's training."""
        activations, training = self.config["activations"], self.config["training"]
        return steps_of(activations["tokens"], training["epochs"], training["batch_tokens"])

    @property
    def bytes_of_a_step(self) -> float:
        """That a training step reads from the cache."""
        return self.config["training"]["batch_tokens"] * self.sizes.width * BYTES[self.config["activations"]["dtype"]]

    def train_planted_saes(self, name: str) -> float:
        """Its steps: they are so small that their arithmetic counts for little."""
        synthetic, training = self.config["synthetic"], self.config["synthetic"]["training"]
        return steps_of(synthetic["tokens"], training["epochs"], training["batch_tokens"]) * len(self.plan.planted[name])

    def evaluate_truth(self, name: str) -> float:
        return self.config["synthetic"]["evaluation_tokens"] * len(self.plan.planted[name])

    def _pass_of_an_sae(self, name: str) -> float:
        """Encoding and decoding a token."""
        latents = self.latents(self.plan.saes[name]) if name in self.plan.saes else self.config["training"]["latents"]
        return 4 * self.sizes.width * latents

    def _readouts(self, name: str) -> int:
        return len(VARIANTS[self.plan.saes[name].variant].readouts) if name in self.plan.saes else 1

    def _core(self, name: str, readouts: float) -> float:
        """The whole model once, and for each readout what follows the block once more."""
        a_token = self.whole + readouts * (self.whole - self.lower + self._pass_of_an_sae(name))
        return self.tokens("evaluation") * a_token

    def evaluate_tokens(self, name: str) -> float:
        families = self.plan.token_families(name)
        geometry = 2 * self.sizes.width * self.config["training"]["latents"] ** 2
        return geometry + (self._core(name, self._readouts(name)) if "core" in families else 0)

    def evaluate_matched(self, name: str) -> float:
        return self._core(name, 2)  # by a threshold, and in its variant's own form

    def evaluate_texts(self, name: str) -> float:
        return self.all_texts * self.length * self._pass_of_an_sae(name) * self._readouts(name)

    def evaluate_matched_texts(self, name: str) -> float:
        return self.all_texts * self.length * self._pass_of_an_sae(name)

    def calibrate(self, name: str) -> float:
        return self.tokens("calibration") * (self.lower + self._pass_of_an_sae(name))

    def evaluate_stability(self, _: str) -> float:
        return 2 * self.sizes.width * self.config["training"]["latents"] ** 2

    def browse(self, _: str) -> float:
        contexts = min(self.config["browse"]["contexts"], self.config["text"]["evaluation_contexts"])
        return contexts * self.length * (self.lower + sum(map(self._pass_of_an_sae, self.plan.browsed)))

    def cache_texts(self, name: str) -> float:
        return self.texts[name] * self.length * self.lower

    def train_probes(self, name: str) -> float:
        return self.texts[name] * self.length * self.sizes.width


FORMULAS: dict[str, Callable[[Workload, str], float]] = {
    # A token, or a character, is counted as one.
    "tokenize": lambda work, name: work.tokens(name),
    "train_tokenizer": lambda work, _: work.characters,
    "train_language_model": Workload.train_language_model,
    "cache_activations": Workload.cache_activations,
    "train_sae": Workload.train_saes,
    "make_synthetic": lambda work, _: work.config["synthetic"]["tokens"],
    "train_planted_saes": Workload.train_planted_saes,
    "evaluate_truth": Workload.evaluate_truth,
    "cache_texts": Workload.cache_texts,
    "train_probes": Workload.train_probes,
    "evaluate_tokens": Workload.evaluate_tokens,
    "evaluate_texts": Workload.evaluate_texts,
    "calibrate": Workload.calibrate,
    "evaluate_matched": Workload.evaluate_matched,
    "evaluate_matched_texts": Workload.evaluate_matched_texts,
    "evaluate_stability": Workload.evaluate_stability,
    "browse": Workload.browse,
}
