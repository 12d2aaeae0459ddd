"""Jobs that Slurm has preempted, and will not start again by itself.

In a partition whose PreemptMode is REQUEUE a preempted job waits for its turn anew. Where it is CANCEL, the state PREEMPTED is
the job's end; Snakemake's Slurm executor (2.8) leaves that to Slurm, too, and would wait for ever.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

PREEMPTED, FAILED = "PREEMPTED", "CANCELLED"

Query = Callable[..., Awaitable[tuple[Mapping[str, str] | None, float | None]]]


def fail_preempted_jobs() -> None:
    """From now on Snakemake takes a job that stays preempted for a failed one, which `retries` submit again."""
    import snakemake_executor_plugin_slurm as executor  # here, since it is there on no other path

    executor.query_job_status = failing_preempted(executor.query_job_status)


def failing_preempted(query: Query) -> Query:
    """The executor's question for the states of its jobs, with FAILED for each that is PREEMPTED at two answers in a row."""
    before: set[str] = set()

    async def answer(*arguments: Any) -> tuple[Mapping[str, str] | None, float | None]:
        states, seconds = await query(*arguments)
        if states is None:
            return states, seconds
        now = {job for job, state in states.items() if state == PREEMPTED}
        over = now & before
        before.clear()
        before.update(now)
        return {job: FAILED if job in over else state for job, state in states.items()}, seconds

    return answer
