"""The weights of a transformers directory: which files it names, and whether they are a whole model."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from safetensors import safe_open
from transformers import PreTrainedModel

from wta_sae.base.errors import UserError, several
from wta_sae.machine.files import read_json

INDEX_FILE = "model.safetensors.index.json"


def check_weight_files(directory: Path) -> None:
    """Raises UserError unless each weights file that the directory names is a safetensors file inside it.

    A name comes from `weight_map` in the index of a model in several files, or from `transformers_weights` in config.json.
    """
    directory = Path(directory)
    if (directory / "adapter_config.json").is_file():
        raise UserError(
            f"{directory}: an adapter to another model (adapter_config.json); merge it into that model and save both"
        )
    config = _json_object(directory / "config.json")
    index = directory / INDEX_FILE
    if (named := config.get("transformers_weights")) is not None:
        _check_name(directory / "config.json", named, (".safetensors", ".safetensors.index.json"))
        index = directory / named
    if not index.name.endswith(".index.json") or not index.is_file():
        return
    files = _json_object(index).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise UserError(f"{index}: no weight_map (tensor: file); save the model again with save_pretrained")
    for name in dict.fromkeys(files.values()):
        _check_name(index, name, (".safetensors",))


def check_whole(directory: Path, report: Mapping[str, Iterable[Any]], model: PreTrainedModel) -> None:
    """Raises UserError, with the names, for tensors that a model lacks, does not know, has in another shape, or not finite.

    report: what `from_pretrained` says with `output_loading_info`, in which tied weights count as there. Without this check
    transformers fills what is missing with random values. What an older transformers saved beside the weights is no fault.
    """
    again = "fetch or save the model again"
    if missing := sorted(report["missing_keys"]):
        raise UserError(f"{directory}: the weights lack {several(missing)}; {again}")
    if mismatched := sorted(report["mismatched_keys"]):
        shapes = [f"{name} ({_shape(found)} for {_shape(wanted)})" for name, found, wanted in mismatched]
        raise UserError(f"{directory}: weights of another shape than config.json's: {several(shapes)}; {again}")
    unexpected = set(report["unexpected_keys"])
    if unexpected and (unknown := sorted(unexpected - _computed(directory, model))):
        raise UserError(f"{directory}: weights that the model of config.json does not have: {several(unknown)}; {again}")
    tensors = model.state_dict()
    if bad := [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]:
        raise UserError(f"{directory}: weights that are not finite: {several(bad)}; {again}")


def _computed(directory: Path, model: PreTrainedModel) -> set[str]:
    """Tensors of the files that no training made: the model's own buffers, causal masks and what they were filled with.

    GPT-Neo's `attn.attention.bias`, (1, 1, P, P) for P positions, and `masked_bias`, a scalar, are in most of its checkpoints.
    """
    found = {name for name, _ in model.named_buffers()}
    for file in directory.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                shape = tensors.get_slice(name).get_shape()
                mask = len(shape) == 4 and shape[:2] == [1, 1] and shape[2] == shape[3]
                if mask or name.endswith(".masked_bias"):
                    found.add(name)
    return found


def _check_name(where: Path, name: Any, endings: tuple[str, ...]) -> None:
    inside = isinstance(name, str) and not any(
        path.is_absolute() or path.drive or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name))
    )
    if not inside or not name.endswith(endings):
        raise UserError(f"{where}: names the weights {name!r}; only safetensors files inside the folder are read")
    if not (where.parent / name).is_file():
        raise UserError(f"{where.parent / name}: no such file, though {where.name} names it; fetch or save the model again")


def _json_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object; save the model again with save_pretrained")
    return content


def _shape(size: Iterable[int]) -> str:
    return "x".join(map(str, size))
