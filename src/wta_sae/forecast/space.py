"""What a run's jobs need of disk and memory, in bytes: about, from what is largest in each."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wta_sae.forecast.workload import BYTES, WorkflowJob, Workload

LIBRARIES, CUDA_LIBRARIES = 450e6, 2700e6  # what a job has in memory before it has read anything
TRANSFORMERS = 200e6  # and what reading a language model adds
ADAMS_COPIES = 4  # of each weight: itself, its gradient, two moments
BATCH_COPIES = 5  # of B x F float32 that an SAE in training holds
DENSE_COPIES = 5  # more of them in a step on a GPU, where all of it is dense
LOGIT_COPIES = 3  # the model's own, those of the residual's stand-in, and their softmax
CODE_COPIES = 2  # of a batch's latents, float32
SHARD_TEXTS = 1024  # at most, of the labelled texts
FORWARD_COPIES = 8  # of a batch's residual stream, within a block
BYTES_OF_A_PACKED_TOKEN = 16  # four copies: in the order of the text, with BOS, as tensors, and as they are written

OF_LANGUAGE_MODEL = (
    *("cache_activations", "cache_texts", "check_language_model", "evaluate_tokens", "evaluate_matched", "calibrate", "browse"),
    "train_language_model",
)


class Part(NamedTuple):
    """A part of a job's memory. key: of the config, which makes it smaller. on_device: a GPU's, where the job has one."""

    what: str
    bytes: float
    key: str
    on_device: bool = True


def memory_parts(job: WorkflowJob, workload: Workload) -> Iterator[Part]:
    """What a job holds in memory at its most."""
    config, sizes = workload.config, workload.sizes
    yield Part("libraries", CUDA_LIBRARIES if job.on_gpu else LIBRARIES, "", on_device=False)
    if job.rule in OF_LANGUAGE_MODEL:
        weights = sizes.parameters * BYTES[config["language_model"]["dtype"]]
        yield Part("its library", TRANSFORMERS, "", on_device=False)
        yield Part("the language model", weights, "language_model.dtype")
        # It is read into the computer's memory first.
        yield Part("the language model", weights if job.on_gpu else 0, "language_model.dtype", on_device=False)
    shard = config["activations"]["shard_tokens"] * sizes.width * BYTES[config["activations"]["dtype"]]
    match job.rule:
        case "cache_activations":
            batch = config["activations"]["batch_contexts"] * workload.length * sizes.width * 4
            yield Part("two shards", 2 * shard, "activations.shard_tokens", on_device=False)
            yield Part("a forward pass", FORWARD_COPIES * batch, "activations.batch_contexts")
        case "train_sae":
            training = config["training"]
            for spec in workload.saes_of(job.name):
                batch = training["batch_tokens"] * workload.latents(spec) * 4
                yield Part(
                    "weights and moments", ADAMS_COPIES * 2 * sizes.width * workload.latents(spec) * 4, "training.latents"
                )
                yield Part("a batch's activations", BATCH_COPIES * batch, "training.batch_tokens")
            dense = DENSE_COPIES * training["batch_tokens"] * max(map(workload.latents, workload.saes_of(job.name))) * 4
            yield Part("a batch's activations", dense if job.on_gpu else 0, "training.batch_tokens")
            yield Part("two shards", 2 * shard, "activations.shard_tokens")
            yield Part("a pinned shard", shard if job.on_gpu else 0, "activations.shard_tokens", on_device=False)
        case "evaluate_tokens" | "evaluate_matched":
            batch = config["evaluation"]["batch_contexts"] * workload.length
            yield Part("a batch's logits", LOGIT_COPIES * batch * sizes.vocabulary * 4, "evaluation.batch_contexts")
            codes = CODE_COPIES * batch * config["training"]["latents"] * 4
            yield Part("a batch's activations", codes, "evaluation.batch_contexts")
        case "evaluate_texts" | "evaluate_matched_texts":
            residuals = min(SHARD_TEXTS, workload.all_texts) * workload.length * sizes.width * 4
            yield Part("two shards of texts", 2 * residuals, "text.context_length", on_device=False)
            codes = CODE_COPIES * config["evaluation"]["batch_texts"] * workload.length * config["training"]["latents"] * 4
            yield Part("a batch's activations", codes, "evaluation.batch_texts")
        case "tokenize":
            packed = max(workload.tokens("train"), config["activations"]["tokens"])
            yield Part("the contexts", BYTES_OF_A_PACKED_TOKEN * packed, "text.train_contexts", on_device=False)


class Store(NamedTuple):
    """What jobs put on the disk. key: of the config, which makes it smaller."""

    what: str
    bytes: float
    key: str


def disk_stores(jobs: Iterable[WorkflowJob], workload: Workload) -> list[Store]:
    """What is on the disk when the jobs have ended, the largest first; what they clear away at their own end included."""
    config, sizes = workload.config, workload.sizes
    found: dict[str, Store] = {}

    def add(what: str, taken: float, key: str) -> None:
        found[what] = Store(what, taken + (found[what].bytes if what in found else 0), key)

    for job in jobs:
        match job.rule:
            case "cache_activations":
                activations = config["activations"]
                add(
                    "cached activations",
                    activations["tokens"] * sizes.width * BYTES[activations["dtype"]],
                    "activations.tokens",
                )
            case "cache_texts":
                residuals = workload.texts[job.name] * workload.length * sizes.width * 4
                add("residuals of labelled texts", residuals, "labelled_texts.train_per_class")
            case "train_sae":
                for spec in workload.saes_of(job.name):  # and a checkpoint, until it is trained
                    weights = 2 * sizes.width * workload.latents(spec) * 4
                    add("SAEs and their checkpoints", ADAMS_COPIES * weights, "training.latents")
            case "fetch_language_model" | "train_language_model":
                add("the language model", sizes.parameters * 4, "language_model")
            case "fetch_text":
                add("the text", config["text"]["hub"]["characters"], "text.hub.characters")
            case "tokenize":
                add("tokens", workload.tokens(job.name) * 4, "text.train_contexts")
    return sorted(found.values(), key=lambda store: -store.bytes)
