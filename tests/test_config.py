import pytest

from wta_sae.base.errors import UserError
from wta_sae.plan.config import check_folder_writable


def test_results_that_cannot_be_written_are_refused_before_anything_runs(tmp_path, monkeypatch):
    check_folder_writable(tmp_path / "results")
    (tmp_path / "results").touch()
    with pytest.raises(UserError, match="results: is a file; results need a folder of that name"):
        check_folder_writable(tmp_path / "results")
    monkeypatch.setattr("os.access", lambda *_: False)  # the superuser may write anywhere
    with pytest.raises(UserError, match="other: cannot be written; make the folder writable"):
        check_folder_writable(tmp_path / "other")
