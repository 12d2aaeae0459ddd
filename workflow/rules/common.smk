import json
import shlex

from wta_sae.config import check_config, check_folder_writable, check_model_folder
from wta_sae.errors import UserError
from wta_sae.text.paths import matching_files
from wta_sae.variants import VARIANTS, requested_saes, sae_at_rate
from wta_sae.workflow import flags, source_files

# Under --sdm conda a rule's environment holds the libraries; the package itself is always this checkout's.
# Threads that wait spin but briefly: spinning long, they make a step five times slower where anything else is running.
SOURCE = shlex.quote(f"{workflow.basedir}/src")
shell.prefix(f"export PYTHONPATH={SOURCE} GOMP_SPINCOUNT=1000; ")


def checked(function, *arguments):
    """Calls a function of wta_sae on config values; its one line about a bad value ends the run."""
    try:
        return function(*arguments)
    except UserError as error:
        raise SystemExit(str(error))


checked(check_config, config, f"{workflow.basedir}/workflow/schemas/config.schema.yaml")
checked(check_folder_writable, "results")

SAES = {
    spec.name: spec
    for spec in checked(requested_saes, config["saes"], config["training"]["latents"], config["training"]["batch_tokens"])
}
TABLE1_SAES = [
    checked(sae_at_rate, list(SAES.values()), config["paper"]["table1_rate"]).name,
    *(name for name, spec in SAES.items() if not spec.rates),
]
WTA_SAES = [name for name, spec in SAES.items() if spec.variant == "wta"]
FAMILIES = ["core", "geometry", "probing", "scr", "tpp", "subspace"]
QUADRANTS = [f"<run>/labelled/quadrants/{a}-{b}.json" for a, b in config["labelled_texts"]["pairs"]]

# The user's own files are looked for before anything runs.
TEXT_FILES = []
if config["text"]["source"] == "files":
    TEXT_FILES = [str(path) for path in checked(matching_files, config["text"]["files"]["paths"])]
if config["language_model"]["source"] == "path":
    checked(check_model_folder, config["language_model"]["path"])
USES_THE_PAPERS_MODEL = config["language_model"].get("hub", {}).get("name") == "EleutherAI/pythia-410m-deduped"

DOCUMENTS = f"<run>/text/{config['text']['source']}.parquet"
LANGUAGE_MODEL = config["language_model"]["path"] if config["language_model"]["source"] == "path" else "<run>/lm"
TOKENIZER = "<run>/tokenizer" if config["language_model"]["source"] == "train" else LANGUAGE_MODEL


wildcard_constraints:
    sae="|".join(SAES),
    split="train|evaluation",
    collection="metrics|table1|figure2",


def text_files(wildcards):
    """The user's own text files, so that an edit of one re-runs what follows."""
    return TEXT_FILES if wildcards.source == "files" else []


def sae_flags(wildcards):
    spec = SAES[wildcards.sae]
    return flags({"variant": spec.variant, "k": spec.k} | ({"rates": spec.rates} if spec.rates else {}))


def inference_rules(wildcards):
    return list(VARIANTS[SAES[wildcards.sae].variant].inference)


def collected(wildcards):
    """The SAEs and metric files behind a tidy table."""
    saes, families = {
        "metrics": (list(SAES), FAMILIES),
        "table1": (TABLE1_SAES, ["core", "probing", "scr", "tpp", "subspace"]),
        "figure2": (list(SAES), ["core"]),
    }[wildcards.collection]
    return {
        "saes": expand("<run>/sae/{sae}", sae=saes),
        "metrics": expand("<run>/metrics/{sae}/{family}.json", sae=saes, family=families),
    }
