"""How often Snakemake looks for jobs to start: when one has finished, and not by the clock."""

import pytest

from workflow import ROOT, by_hand

JOBS = 6


@pytest.mark.parametrize(
    "options, passes", [((), range(JOBS + 2)), (("--max-jobs-per-timespan", "99/1s"), range(JOBS + 2, 99))]
)
def test_jobs_are_looked_for_as_others_end(tmp_path, options, passes):
    """The project's Snakefile with some jobs more, one after the other; with a limit of the user's own, every second too."""
    for name in ("config.yaml", "constraints.txt", "src", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Snakefile").write_text(
        f"include: '{ROOT}/Snakefile'\nrule turn:\n    output: 'turn/{{n}}'\n    shell: 'sleep 1; touch {{output}}'\n"
    )
    targets = [f"turn/{number}" for number in range(JOBS)]
    run = by_hand(tmp_path, "snakemake", "--cores", "1", "--verbose", *options, "--", *targets)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("Ready jobs: ") in passes
