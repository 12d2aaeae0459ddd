"""Whether a run's main numbers are those that other runs of the same configuration had, and which are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wta_sae.base.errors import UserError

KEYS = ["sae", "inference", "metric"]  # of a number: an SAE without its seed, read out by a rule (empty: by none)
MAIN = (
    *("ce_loss_without_sae", "explained_variance", "ce_loss_score", "kl_div_score", "l0", "frac_alive"),
    *("subspace_cosine", "projection_percentage", "encoder_decoder_cosine_sim_median"),
    *("sae_test_accuracy", "sae_top_1_test_accuracy", "scr_metric_threshold_20", "tpp_threshold_20_total_metric"),
    *("seed_stability", "found_again", "matched_cosine", "features_found"),
)
STANDARD_DEVIATIONS = 5.0  # of a mean over seeds: a tolerance
ROUNDING = 1e-4  # of the value: what is the same in these runs may differ by so much on another processor


@dataclass(frozen=True)
class Deviation:
    """A number that is beyond its tolerance, or that the run has not: then value is None."""

    sae: str
    inference: str
    metric: str
    expected: float
    tolerance: float
    value: float | None

    @property
    def tolerances(self) -> float:
        """How many tolerances it is off; infinity where it is missing."""
        return float("inf") if self.value is None else abs(self.value - self.expected) / self.tolerance


def main_numbers(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and number of seeds of the main metrics of what has several seeds, by KEYS.

    metrics: the table of `collect-metrics`.
    """
    suffix = "-seed" + metrics["seed"].astype("Int64").astype("string")
    kinds = [sae.removesuffix(end) for sae, end in zip(metrics["sae"], suffix.fillna("-"), strict=True)]
    main = metrics.assign(sae=kinds, inference=metrics["inference"].fillna(""))[metrics["metric"].isin(MAIN)]
    found = main.groupby(KEYS)["value"].agg(["mean", "std", "count"])
    return found[main.groupby(KEYS)["seed"].nunique() > 1]


def expected_numbers(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What to expect of another run: `value`, `tolerance`, by KEYS; of runs on other threads or machines.

    A tolerance is STANDARD_DEVIATIONS of a run's mean over seeds, about the mean of these runs. That deviation is the largest
    of three: what the seeds' spread makes it, the upper quartile of that over all SAEs (three seeds tell little of one alone),
    but for L0, which a rule may fix, and what these runs' means differ by.
    """
    found = pd.concat([main_numbers(run) for run in runs], keys=range(len(runs)), names=["run"])
    of_mean = found.groupby(KEYS)["mean"].agg(["mean", "std", "count"])
    of_mean = of_mean[of_mean["count"] == len(runs)]
    by_seeds = (found["std"].pow(2) / found["count"]).groupby(KEYS).mean().pow(0.5).reindex(of_mean.index)
    kind = [of_mean.index.get_level_values("metric"), of_mean.index.get_level_values("sae").str.contains("zipf")]
    usual = by_seeds.groupby(kind).transform(lambda spreads: spreads.quantile(0.75))
    usual = usual.where(usual.index.get_level_values("metric") != "l0", 0)
    deviation = pd.concat([by_seeds, usual, of_mean["std"].fillna(0)], axis=1).max(axis=1)
    tolerance = STANDARD_DEVIATIONS * deviation * (1 + 1 / len(runs)) ** 0.5
    return pd.DataFrame({"value": of_mean["mean"], "tolerance": tolerance.clip(lower=ROUNDING * of_mean["mean"].abs() + 1e-12)})


def read_expected(path: Path) -> pd.DataFrame:
    """Raises UserError for a file without these columns."""
    try:
        table = pd.read_csv(path, keep_default_na=False)
        return table.set_index(KEYS)[["value", "tolerance"]]
    except (OSError, KeyError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: no table of {', '.join(KEYS)}, value, tolerance ({error})") from error


def deviations(metrics: pd.DataFrame, expected: pd.DataFrame) -> list[Deviation]:
    """What is off, the farthest first; what is missing at the end."""
    values = main_numbers(metrics)["mean"].to_dict()
    found = [
        Deviation(sae, inference, metric, row["value"], row["tolerance"], values.get((sae, inference, metric)))
        for (sae, inference, metric), row in zip(expected.index, expected.to_dict("records"), strict=True)
    ]
    return sorted((one for one in found if one.tolerances > 1), key=lambda one: (one.value is None, -one.tolerances, one.sae))
