"""Winner-takes-all sparse autoencoders (SAEs).

The public functions, each loaded when it is first asked for: importing the package loads neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers see; `X as X` marks it as public
    from wta_sae.language_model.model import LanguageModel as LanguageModel
    from wta_sae.language_model.model import load_language_model as load_language_model
    from wta_sae.metrics.core import evaluate_core as evaluate_core
    from wta_sae.metrics.core import model_behaviour as model_behaviour
    from wta_sae.metrics.core import reconstruction as reconstruction
    from wta_sae.metrics.evaluation import Evaluation as Evaluation
    from wta_sae.metrics.geometry import encoder_decoder_geometry as encoder_decoder_geometry
    from wta_sae.metrics.geometry import threshold_ratio as threshold_ratio
    from wta_sae.metrics.probing import probing_metrics as probing_metrics
    from wta_sae.metrics.scr import scr_metrics as scr_metrics
    from wta_sae.metrics.subspace import evaluate_subspace as evaluate_subspace
    from wta_sae.metrics.tpp import tpp_metrics as tpp_metrics
    from wta_sae.metrics.true_features import truth_metrics as truth_metrics
    from wta_sae.sae.load import load_sae as load_sae
    from wta_sae.sae.sae import SAE as SAE
    from wta_sae.sae.save import save_sae as save_sae
    from wta_sae.synthetic.world import new_world as new_world
    from wta_sae.synthetic.world import read_world as read_world

_MODULE_OF = {
    "SAE": "sae.sae",
    "load_sae": "sae.load",
    "save_sae": "sae.save",
    "new_world": "synthetic.world",
    "read_world": "synthetic.world",
    "LanguageModel": "language_model.model",
    "load_language_model": "language_model.model",
    "Evaluation": "metrics.evaluation",
    "evaluate_core": "metrics.core",
    "model_behaviour": "metrics.core",
    "reconstruction": "metrics.core",
    "encoder_decoder_geometry": "metrics.geometry",
    "threshold_ratio": "metrics.geometry",
    "probing_metrics": "metrics.probing",
    "scr_metrics": "metrics.scr",
    "evaluate_subspace": "metrics.subspace",
    "tpp_metrics": "metrics.tpp",
    "truth_metrics": "metrics.true_features",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
