"""What an SAE's training curve says."""

from pathlib import Path

import pandas as pd

from wta_sae.metrics.evaluation import Evaluation
from wta_sae.plan.sae_files import CURVE_FILE


def dead_at_end(sae: Path) -> Evaluation:
    """Metric: dead_latents, those that had not been active for `training.dead_after_tokens` tokens when training ended.

    sae: a directory; one from elsewhere has no curve, and no such metric.
    """
    file = Path(sae) / CURVE_FILE
    return Evaluation({"dead_latents": float(pd.read_csv(file)["dead"].iloc[-1])} if file.exists() else {})
