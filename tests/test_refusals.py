"""A job that was refused for its input is not tried again in the same run of the workflow; others are."""

import logging

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from wta_sae.__main__ import main
from wta_sae.base.errors import PassingError, UserError
from wta_sae.base.job_logs import OwnLogs
from wta_sae.base.refusals import FOLDER_VARIABLE, refusal


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Runs a stage that fails with an error; whether it came to run at all."""

    def run(error, out="table2.tex"):
        ran = []

        def fail(_):
            ran.append(True)
            raise error

        monkeypatch.setattr("wta_sae.stages.table2.run", fail)
        assert main(["table2", "--contributions", "x", "--template", "y", "--out", str(tmp_path / out)]) == 1
        return bool(ran)

    return run


def test_the_retry_of_a_refused_job_ends_at_once_with_the_same_line(attempt, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "refusals"))
    assert attempt(UserError("config: x: too many"))
    assert not attempt(UserError("never said"))
    assert capsys.readouterr().err.splitlines() == ["wta_sae table2: config: x: too many"] * 2
    assert refusal([tmp_path / "table2.tex"]) == "config: x: too many"
    assert refusal([str(tmp_path / "table1.tex")]) is None
    assert attempt(UserError("another"), out="another.tex")


@pytest.mark.parametrize("error", [PassingError("the disk is full"), UserError("config: x")])
def test_what_may_pass_and_what_is_run_by_hand_is_tried_again(attempt, tmp_path, monkeypatch, error):
    if isinstance(error, PassingError):
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "refusals"))
    else:
        monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert attempt(error)
    assert attempt(error)
    assert list(tmp_path.iterdir()) == []


def logs_shown(logs, job=3, **fields):
    record = logging.makeLogRecord({"event": LogEvent.JOB_ERROR, "jobid": job, **fields})
    assert logs.filter(record)
    return record.log


def test_only_what_the_attempt_wrote_is_shown_as_its_log(tmp_path):
    log, other, slurms = (str(tmp_path / name) for name in ("a.log", "b.log", "slurm.log"))
    (tmp_path / "a.log").write_text("of an earlier run")
    logs = OwnLogs()
    logs.filter(logging.makeLogRecord({"event": LogEvent.JOB_INFO, "jobid": 3, "log": [log, other]}))
    assert logs_shown(logs, log=[log, other, slurms]) == [slurms]  # nothing has run
    (tmp_path / "a.log").write_text("of this one")
    assert logs_shown(logs, log=[log, other]) == [log]
    assert logs_shown(logs, job=4, log=[log]) == [log]  # of a job whose start it did not see
