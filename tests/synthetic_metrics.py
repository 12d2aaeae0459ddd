"""A run's table of metrics with the default run's shape, made of worked numbers: what the tests of the presentation show.

Repeated SAEs differ from the first seed's by the same step up and down, so that a mean is the first seed's value and the
standard deviation is the step.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from wta_sae.metrics.columns import COLUMNS, DENSITY_CLASSES
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.published import read_published
from wta_sae.presentation.run import Run
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.variants.registry import variant_named

ROOT = Path(__file__).parents[1]
RATES = (1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.0078125, 1e-2, 5e-2)
TABLE_RATE, MATCHED_RATE, TABLE_K = 1e-2, 0.0078125, 16
BATCH_TOKENS = 2048
STEPS_OF_SEEDS = {42: 0, 43: 1, 44: -1}
BASELINE_VARIANCES = {"batch_topk": {4: 0.78, 16: 0.893, 64: 0.94}, "topk": {4: 0.80, 16: 0.912, 64: 0.95}}
MATCHED_VARIANCES = {
    "wta": {"matched_topk": 0.81, "matched_threshold": 0.70, "matched_per_latent": 0.84},
    "batch_topk": {"matched_topk": 0.88, "matched_threshold": 0.892, "matched_per_latent": 0.871},
    "topk": {"matched_topk": 0.912, "matched_threshold": 0.891, "matched_per_latent": 0.86},
}
TRUTH_VARIANCES = {"wta": (0.83, 0.65), "batch_topk": (0.70, 0.81), "topk": (0.78, 0.80), "adaptive": (0.77, 0.85)}
"""At exponents 0 and 1: WTA ahead, then behind."""
STABILITIES = {"wta": 0.52, "batch_topk": 0.40, "topk": 0.47}
DENSITY_SHARES = {"wta": {0.5: 0.5, 1: 0.5}, "batch_topk": {0: 0.4, 1: 0.2, 4: 0.4}, "topk": {0: 0.2, 1: 0.6, 4: 0.2}}
"""Of latents by their class of density, where there are any."""
STABILITY_AT = {0: 0.3, 0.5: 0.5, 1: 0.54, 4: 0.7}
"""Under each variant, but under BatchTopK 0.1 less."""
ABLATIONS = {"gate": -0.03, "encoder_bias": -0.1, "packing": 0.005, "all": -0.12}
"""What each takes from the explained variance."""


def core_values(l0: float, variance: float, budget: float) -> dict[str, float]:
    score = 1 - (1 - variance) / 4
    return {
        "l0": l0,
        "l0_budget": budget,
        "l1": 3 * l0,
        "explained_variance": variance,
        "explained_variance_saebench": 1 - 0.7 * (1 - variance),
        "explained_variance_legacy": 1 - 1.1 * (1 - variance),
        "ce_loss_score": score,
        "kl_div_score": score - 0.01,
        "ce_loss_with_sae": 9 - score * 5.3,
        "ce_loss_without_sae": 3.7,
        "ce_loss_with_ablation": 9.0,
        "frac_alive": 0.998,
    }


TABLE1_VALUES = {
    "sae_test_accuracy": 0.931,
    "llm_test_accuracy": 0.96,
    "scr_metric_threshold_20": 0.1,
    "tpp_threshold_20_total_metric": -0.012,
    "subspace_cosine": 0.9,
    "projection_percentage": 0.81,
}


def weight_values(budget: float, threshold_ratio: float) -> dict[str, float]:
    median = 0.5 + 0.4 * min(1, budget / 100)
    return {"encoder_decoder_cosine_sim_median": median, "threshold_ratio_median": threshold_ratio}


def rows(sae: str, variant: str, inference: str | None, values: dict[str, float], **columns: float | str) -> list[dict]:
    common = {"run": "demo", "sae": sae, "variant": variant, "seed": 42, "inference": inference} | columns
    return [common | {"metric": metric, "value": value} for metric, value in values.items()]


def table(records: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(records, columns=COLUMNS)


def synthetic(lowest_variance: float = 0.2, seeds: tuple[int, ...] = (42, 43, 44)) -> pd.DataFrame:
    """The default run's SAEs and rules; `described` falls to `lowest_variance` at the lowest rates."""
    records = []
    for rate in RATES:
        for seed in seeds if rate in (TABLE_RATE, MATCHED_RATE) else seeds[:1]:
            records += wta_rows(rate, lowest_variance, seed)
    for ablation, change in ABLATIONS.items():
        records += wta_rows(TABLE_RATE, lowest_variance, seeds[0], ablation, change)
    for variant, variances in BASELINE_VARIANCES.items():
        for k, variance in variances.items():
            for seed in seeds if k == TABLE_K else seeds[:1]:
                records += baseline_rows(variant, k, variance, seed)
    for seed in seeds:
        records += matched_rows(seed) + truth_rows(seed)
    return table(records)


def named(sae: str, seed: int) -> str:
    return sae if seed == 42 else f"{sae}-seed{seed}"


def wta_rows(rate: float, lowest_variance: float, seed: int, ablation: str | None = None, change: float = 0.0) -> list[dict]:
    winners = winners_per_latent(rate, BATCH_TOKENS)
    trained, step = np.log2(winners) / 7, STEPS_OF_SEEDS[seed]
    readings = {
        "described": (60 - 30 * trained + 0.5 * step, lowest_variance + (0.8 - lowest_variance) * trained),
        "released": (16.0, 0.5 - 0.3 * abs(trained - 0.5)),
        "per_latent": (winners + 0.2 * step, 0.25 + 0.6 * trained),
    }
    sae = named(f"wta-k{winners}", seed) if ablation is None else f"wta-k{winners}-{ablation}"
    columns = {"sparsity_rate": rate, "k_per_latent": winners, "seed": seed, "ablation": ablation}
    records = [] if ablation else rows(sae, "wta", None, weight_values(winners, 8.0), **columns)
    for inference, (l0, variance) in readings.items():
        values = core_values(l0, variance + change + 0.002 * step, winners) | ({} if ablation else TABLE1_VALUES)
        records += rows(sae, "wta", inference, values, **columns)
    return records


def baseline_rows(variant: str, k: int, variance: float, seed: int) -> list[dict]:
    step, rule = STEPS_OF_SEEDS[seed], {"batch_topk": "threshold", "topk": "topk"}[variant]
    l0 = k if variant == "topk" else 0.9625 * k + 0.1 * step
    values = core_values(l0, variance + 0.001 * step, k) | (TABLE1_VALUES if k == TABLE_K else {})
    sae, columns = named(f"{variant}-k{k}", seed), {"k_per_token": k, "seed": seed}
    return rows(sae, variant, rule, values, **columns) + rows(sae, variant, None, weight_values(k, 1.1), **columns)


def matched_rows(seed: int) -> list[dict]:
    step, records = STEPS_OF_SEEDS[seed], []
    for variant, variances in MATCHED_VARIANCES.items():
        columns = {"k_per_token": TABLE_K}
        if variant == "wta":
            columns = {"sparsity_rate": MATCHED_RATE, "k_per_latent": winners_per_latent(MATCHED_RATE, BATCH_TOKENS)}
        for inference, variance in variances.items():
            l0 = 16.0 if inference == "matched_topk" else 16.1 + 0.05 * step
            values = core_values(l0, variance + 0.001 * step, TABLE_K)
            if inference == variant_named(variant).rule_at_equal_l0:
                values |= TABLE1_VALUES | density_values(variant, 0.001 * step)
            records += rows(named(f"{variant}-k16", seed), variant, inference, values, seed=seed, **columns)
        of_weights = {"seed_stability": STABILITIES[variant] + 0.001 * step, "found_again": STABILITIES[variant] / 4}
        of_weights["chance_stability"] = 0.3
        of_weights["mean_absolute_decoder_cosine_sim"] = 0.08
        records += rows(named(f"{variant}-k16", seed), variant, None, of_weights, seed=seed, **columns)
    return records


def density_values(variant: str, change: float) -> dict[str, float]:
    """What `evaluate stability` measures of a variant's latents by their density."""
    values = {"stability_density_correlation": 0.5 + 10 * change}
    for lowest in DENSITY_CLASSES:
        share = DENSITY_SHARES[variant].get(lowest, 0.0)
        stability = STABILITY_AT.get(lowest, np.nan) - 0.1 * (variant == "batch_topk") + change
        values |= {f"latents_at_density_{lowest:g}": share, f"stability_at_density_{lowest:g}": stability if share else np.nan}
    return values


def truth_rows(seed: int, changes: dict[str, tuple[float, float]] | None = None) -> list[dict]:
    """Of TRUTH_VARIANCES, or with some of it changed, at exponents 0 and 1; every rule at equal L0 has the same."""
    records = []
    for variant, variances in (TRUTH_VARIANCES | (changes or {})).items():
        for exponent, variance in zip((0.0, 1.0), variances, strict=True):
            for rule in ("matched_topk", "matched_threshold", "matched_per_latent"):
                value = variance + 0.01 * STEPS_OF_SEEDS[seed]
                values = {"explained_variance": value, "matched_cosine": value - 0.02, "features_found": value - 0.1, "l0": 4.0}
                sae = f"{variant}-k4-zipf{exponent:g}-seed{seed}"
                records += rows(sae, variant, rule, values, seed=seed, zipf_exponent=exponent)
    return records


def cosines() -> dict[float, np.ndarray]:
    """Encoder-decoder cosines of 300 latents at every rate; the same where rates share an SAE."""
    generator = np.random.default_rng(0)
    winners = sorted({winners_per_latent(rate, BATCH_TOKENS) for rate in RATES})
    of = {count: np.clip(generator.normal(0.5 + 0.06 * i, 0.1, 300), -1, 1) for i, count in enumerate(winners)}
    return {rate: of[winners_per_latent(rate, BATCH_TOKENS)] for rate in RATES}


METRICS = synthetic()
COSINES = cosines()
PUBLISHED = read_published(ROOT / "paper" / "published.yaml")
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
CONFIG["paper"] = {"table1_rate": TABLE_RATE, "table1_k": TABLE_K}

PROVENANCE = {
    "device": ["A processor"],
    "product_precision": ["float32"],
    "threads": [1],
    "system": ["A_system"],
    "versions": {"python": ["3.11.7"], "torch": ["2.13.0"]},
    "commit": ["0123456789abcdef"],
    "modified": [False],
    "config": {"run": "mine"},
    "language_models": [{"name": "a_model", "sha256": "1" * 64, "commit": "2" * 40, "hook": "blocks.2.hook_resid_post"}],
    "tokens": {"train": {"sha256": "3" * 64, "text": {"sha256": "4" * 64}}, "evaluation": {"sha256": "5" * 64}},
    "labelled_texts": {"classes/my_labels": "6" * 64},
    "saes": {f"topk-k{number}": {"sae_weights.safetensors": f"{number:064d}"} for number in range(11)},
}
"""What `record-provenance` writes."""


def run_of(metrics: pd.DataFrame = METRICS, config: dict = CONFIG) -> Run:
    return Run(config, RunMetrics(metrics), PUBLISHED)
