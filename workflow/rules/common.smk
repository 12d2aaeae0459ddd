import json
import logging
import os
import re
import shlex
import shutil
import uuid

from wta_sae.base.errors import UserError
from wta_sae.base.gpus import visible_gpus
from wta_sae.base.job_logs import OwnLogs, shorten_jobs
from wta_sae.base.refusals import FOLDER_VARIABLE, refusal
from wta_sae.plan.commands import flags
from wta_sae.plan.config import check_config, check_folder_writable
from wta_sae.plan.dependencies import code_sha256, state_of
from wta_sae.plan.feasibility import check_feasible
from wta_sae.plan.labelled_sets import (
    DOCSTRINGS,
    FILES,
    HUB,
    class_sets,
    concept_pairs,
    drawn_datasets,
    fetch_options,
    file_options,
    labelled_files,
)
from wta_sae.plan.own_files import matching_files
from wta_sae.plan.saes import FOREIGN_FILES, foreign_saes, matched_saes, requested_saes, table1_saes, trained_together
from wta_sae.variants.loading import modules_of
from wta_sae.variants.registry import VARIANTS

# Under --sdm conda a rule's environment holds the libraries; the package itself is always this checkout's.
# Threads that wait spin but briefly: spinning long, they make a step five times slower where anything else is running.
# Slurm signals a whole job: with the trap the shell waits for its stage, which on SIGTERM saves a checkpoint, rather than
# die before it, at which Slurm kills the rest.
# A job's output goes to its log; descriptor 3 is where Snakemake's own goes, for a line of progress now and then.
SOURCE = shlex.quote(f"{workflow.basedir}/src")
shell.prefix(f"trap : TERM; exec 3>&2; export WTA_SAE_TERMINAL=3 PYTHONPATH={SOURCE} GOMP_SPINCOUNT=1000; ")


logging.getLogger("snakemake.logging").addFilter(OwnLogs())
if not (workflow.output_settings.dryrun or workflow.output_settings.printshellcmds):
    shorten_jobs()

# Where this run's jobs note that they were refused; a job's own Snakemake has it from the environment.
os.environ.setdefault(FOLDER_VARIABLE, f"{os.getcwd()}/.snakemake/refusals/{uuid.uuid4().hex}")


def checked(function, *arguments):
    """Calls a function of wta_sae on config values; its one line about a bad value ends the run."""
    try:
        return function(*arguments)
    except UserError as error:
        raise SystemExit(str(error))


checked(check_config, config, f"{workflow.basedir}/workflow/schemas/config.schema.yaml")
checked(check_feasible, config)
checked(check_folder_writable, "results")

# Of the jobs that gain by several. A job's result depends on its threads: they are the same on every machine, whatever --cores
# is, and more cores run more jobs.
THREADS = 2

RUN = f"results/{config['run']}"
ARTIFACTS = (
    *("paper.pdf", "table1.tex", "table_published.tex", "table_matched.tex", "table_claims.tex", "table2.tex", "numbers.tex"),
    *(f"figure{number}.{suffix}" for number in (1, 2, 3) for suffix in ("pdf", "png")),
    "reproduction.md",
)

SEED = config["seeds"][0]
SAES = {spec.name: spec for spec in checked(requested_saes, config)}
FOREIGN_SAES = checked(foreign_saes, config, SAES)
TABLE1_SAES = [spec.name for spec in table1_saes(SAES.values(), config)]
MATCHED_SAES = [spec.name for spec in matched_saes(SAES.values(), config)]
ORDINARY_SAES = [name for name, spec in SAES.items() if spec.ablation is None]
TRAINED_TOGETHER = [[spec.name for spec in group] for group in trained_together(SAES.values(), config)]
SWEEP_SAES = [name for name in ORDINARY_SAES if SAES[name].variant == "wta" and SAES[name].seed == SEED]

CLASS_SETS = {one.name: one for one in checked(class_sets, config)}
CONCEPT_PAIRS = {pair.name: pair for pair in checked(concept_pairs, config)}
FETCHED_DATASETS = {name: flags(checked(fetch_options, config, name)) for name in drawn_datasets(config, HUB)}
FILE_DATASETS = {name: flags(file_options(config, name)) for name in drawn_datasets(config, FILES)}
PROBING_TEXTS = [f"<run>/labelled/classes/{name}.json" for name in CLASS_SETS]
TPP_TEXTS = [f"<run>/labelled/classes/{name}.json" for name, one in CLASS_SETS.items() if one.tpp]
QUADRANTS = [f"<run>/labelled/quadrants/{name}.json" for name in CONCEPT_PAIRS]

# The user's own files are looked for before anything runs.
TEXT_FILES = []
if config["text"]["source"] == "files":
    TEXT_FILES = [str(path) for path in checked(matching_files, config["text"]["files"]["paths"])]
LABELLED_FILES = {name: checked(labelled_files, config, name) for name in FILE_DATASETS}

# About the size of the text that is read whole, in MB, which the jobs that do so need thrice; the packages' is small.
TEXT_MB = round(sum(os.path.getsize(file) for file in TEXT_FILES) / 1e6)
if config["text"]["source"] == "hub":
    TEXT_MB = round(config["text"]["hub"]["characters"] / 1e6)

DOCUMENTS = f"<run>/text/{config['text']['source']}.parquet"
LANGUAGE_MODEL = config["language_model"]["path"] if config["language_model"]["source"] == "path" else "<run>/lm"
# A model that was not made here is tried out before text is tokenized for it.
CHECKED_MODEL = [] if config["language_model"]["source"] == "train" else "<run>/language_model.json"
TOKENIZER = "<run>/tokenizer" if config["language_model"]["source"] == "train" else LANGUAGE_MODEL


def training_contexts(packing, prepend_bos):
    """The name of a set of training contexts; the language model's own are `train`."""
    if (packing, prepend_bos) == ("concatenated", True):
        return "train"
    return f"train-{packing}" if prepend_bos else f"train-{packing}-without-bos"


def cache_name(packing, prepend_bos):
    """The folder of a cache of activations: the run's own, or one that only ablations train on."""
    own = config["activations"]["packing"], config["activations"]["prepend_bos"]
    return "activations" if (packing, prepend_bos) == own else f"activations-{training_contexts(packing, prepend_bos)}"


PACKINGS = {(spec.packing, spec.prepend_bos) for spec in SAES.values()}
CACHES = {cache_name(*packing): training_contexts(*packing) for packing in PACKINGS}
CONCATENATED = {"packing": "concatenated", "prepend_bos": True}


def asked_for(section, name, more=""):
    """So many contexts, and the key that asks for them."""
    return {"contexts": config[section][name], "contexts_key": f"{section}.{name}{more}"}


def tokens_needed(packing, prepend_bos):
    """How many tokens a cache is to have from such contexts, and what asks for it where it is not the run's own cache."""
    if (packing, prepend_bos) not in PACKINGS:
        return {}
    asking = [spec.ablation for spec in SAES.values() if (spec.packing, spec.prepend_bos) == (packing, prepend_bos)]
    by = {} if None in asking else {"asked_by": f"ablations: {asking[0]}"}
    return {"tokens": config["activations"]["tokens"]} | by


CONTEXTS = {
    training_contexts(packing, prepend_bos): {
        "split": "train",
        # Packed first, how many there are is the documents' own number.
        **(asked_for("text", "train_contexts") if packing == "concatenated" else {}),
        **tokens_needed(packing, prepend_bos),
        "packing": packing,
        "prepend_bos": prepend_bos,
    }
    for packing, prepend_bos in PACKINGS | {("concatenated", True)}
} | {
    "evaluation": {"split": "evaluation", **asked_for("text", "evaluation_contexts"), **CONCATENATED},
    "calibration": {
        "split": "evaluation",
        "skip": config["text"]["evaluation_contexts"],
        **asked_for("text", "calibration_contexts", " beside text.evaluation_contexts"),
        **CONCATENATED,
    },
}


def one_of(names):
    """A wildcard's pattern: one of the names and nothing else."""
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    sae=one_of([*SAES, *FOREIGN_SAES]),
    contexts=one_of(CONTEXTS),
    cache=one_of(CACHES),
    class_set=one_of(CLASS_SETS),
    pair=one_of(CONCEPT_PAIRS),
    artifact=one_of(ARTIFACTS),
    collection="metrics|table1|figure2|figure3|table_matched",


def text_files(wildcards):
    """The user's own text files, so that an edit of one re-runs what follows."""
    return TEXT_FILES if wildcards.source == "files" else []


def class_set_flags(one):
    balanced = {"balanced_by": one.balanced_by} if one.balanced_by else {}
    return flags({"label": one.label, "classes": one.classes} | balanced)


def pair_flags(pair):
    return flags({key: getattr(pair, key) for key in ("concept", "concepts", "attribute", "attributes")})


def trained_by(saes, wildcards):
    """The SAEs of a training job; `{sae}` stands for the one that the job's wildcard names."""
    return [SAES[wildcards.get("sae", sae)] for sae in saes]


def training_activations(specs):
    """The cache that they all train on."""
    return f"<run>/{cache_name(specs[0].packing, specs[0].prepend_bos)}/manifest.json"


def training_flags(specs):
    """The seed that they share, then what sets each apart from another; settings of WTA alone only there."""
    saes = []
    for spec in specs:
        own = {"variant": spec.variant, "k": spec.k}
        if spec.rates:
            own |= {"rates": spec.rates, "gate": spec.gate, "rescale_encoder_bias": spec.rescale_encoder_bias}
        saes.append(flags(own | ({"ablation": spec.ablation} if spec.ablation else {})))
    return f"--seed {specs[0].seed} " + " --and ".join(saes)


def rules_of(specs):
    """The modules of their variants, which are all of the variants' code that their training follows."""
    return sorted({module for spec in specs for module in modules_of(spec.variant)})


def inference_rules(wildcards):
    """The flags; an SAE from elsewhere is read out by its own rule."""
    if wildcards.sae in FOREIGN_SAES:
        return ""
    return flags({"inference": VARIANTS[SAES[wildcards.sae].variant].inference})


def families_of(sae):
    """The metric families of an SAE: all of them for Table 1's and the sweep's, what the comparisons need for the others."""
    families = ["core", "geometry"]
    if sae in TABLE1_SAES or sae in SWEEP_SAES or sae in FOREIGN_SAES:
        families += ["probing", *(["scr"] if QUADRANTS else []), "tpp", "subspace"]
    return families + (["matched"] if sae in MATCHED_SAES else [])


def growing(amount):
    """A resource of which each retry asks for more: a job stopped for its memory or its time then gets further.

    Not the retry of a job that was refused for its input, for which no memory is enough.
    """

    def asked_for(wildcards, attempt, rulename):
        if attempt == 1:
            return amount
        outputs = workflow.get_rule(rulename).expand_output(wildcards)[0]
        refused = refusal([*outputs, *map(os.path.dirname, outputs)])  # of a folder, the output may be the file that tells it
        return amount if refused else amount * attempt

    return asked_for


def collected_families(collection):
    """The SAEs of a tidy table, and which families of metrics it has of each."""
    return {
        "metrics": {sae: families_of(sae) for sae in [*SAES, *FOREIGN_SAES]},
        "table1": {sae: [name for name in families_of(sae) if name not in ("geometry", "matched")] for sae in TABLE1_SAES},
        "figure2": {sae: ["core"] for sae in ORDINARY_SAES},
        "figure3": {sae: ["core"] for sae in [*ORDINARY_SAES, *FOREIGN_SAES]},
        "table_matched": {sae: ["matched"] for sae in MATCHED_SAES},
    }[collection]


def foreign_flags(wildcards):
    """Which of a table's SAEs are from elsewhere."""
    foreign = [sae for sae in collected_families(wildcards.collection) if sae in FOREIGN_SAES]
    return flags({"foreign": foreign} if foreign else {})


def collected(wildcards):
    """The SAEs and metric files behind a tidy table."""
    families = collected_families(wildcards.collection)
    return {
        "saes": [f"<run>/sae/{sae}" for sae in families],
        "metrics": [f"<run>/metrics/{sae}/{family}.json" for sae, names in families.items() for family in names],
    }
