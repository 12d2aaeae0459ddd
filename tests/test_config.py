import pytest
import yaml

from workflow import PAPERS, ROOT
from wta_sae.base.errors import UserError
from wta_sae.plan.config import check_config, check_folder_writable


def test_results_that_cannot_be_written_are_refused_before_anything_runs(tmp_path, monkeypatch):
    check_folder_writable(tmp_path / "results")
    (tmp_path / "results").touch()
    with pytest.raises(UserError, match="results: is a file; results need a folder of that name"):
        check_folder_writable(tmp_path / "results")
    monkeypatch.setattr("os.access", lambda *_: False)  # the superuser may write anywhere
    with pytest.raises(UserError, match="other: cannot be written; make the folder writable"):
        check_folder_writable(tmp_path / "other")


@pytest.mark.parametrize("variant", PAPERS)
def test_a_variant_of_the_papers_tables_cannot_be_left_out(variant):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    schema = ROOT / "workflow/schemas/config.schema.yaml"
    check_config(config | {"saes": config["saes"] | {"jumprelu": None}}, schema)
    for left_out in ({variant: None}, {}):
        saes = {name: section for name, section in config["saes"].items() if name != variant} | left_out
        with pytest.raises(UserError, match=f"config: saes.{variant}: there is none"):
            check_config(config | {"saes": saes}, schema)
