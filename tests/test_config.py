import pytest

from wta_sae.config import check_folder_writable, check_model_folder
from wta_sae.errors import UserError


def test_a_model_folder_wants_its_config_and_tokenizer(neox_directory, tmp_path):
    check_model_folder(neox_directory)
    with pytest.raises(UserError, match=r"language_model.path: .* lacks config.json; give a transformers model directory"):
        check_model_folder(tmp_path)
    (tmp_path / "config.json").touch()
    with pytest.raises(UserError, match=r"lacks tokenizer\.json"):
        check_model_folder(tmp_path)


def test_results_that_cannot_be_written_are_refused_before_anything_runs(tmp_path, monkeypatch):
    check_folder_writable(tmp_path / "results")
    (tmp_path / "results").touch()
    with pytest.raises(UserError, match="results: is a file; results need a folder of that name"):
        check_folder_writable(tmp_path / "results")
    monkeypatch.setattr("os.access", lambda *_: False)  # the superuser may write anywhere
    with pytest.raises(UserError, match="other: cannot be written; make the folder writable"):
        check_folder_writable(tmp_path / "other")
