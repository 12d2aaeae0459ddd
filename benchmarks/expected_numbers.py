"""Writes what `python -m wta_sae check` expects of the demo, from the metrics of two or more of its runs.

python benchmarks/expected_numbers.py RUN/metrics.csv OTHER/metrics.csv > tests/expected/demo.csv

The runs should differ in what may differ on a user's machine: the threads of the language model's training (THREADS in
workflow/rules/common.smk), the processor. On stderr, for each run: how many of its numbers are off by what the others alone
would have made us expect, which is about how often a sound run will be accused.
"""

import sys

import pandas as pd

from wta_sae.metrics.expected import deviations, expected_numbers

DIGITS = 6


def main() -> None:
    runs = [pd.read_csv(path) for path in sys.argv[1:]]
    if len(runs) < 2:
        raise SystemExit(__doc__)
    for number, path in enumerate(sys.argv[1:]):
        others = expected_numbers([run for place, run in enumerate(runs) if place != number])
        off = [one for one in deviations(runs[number], others) if one.value is not None]
        print(f"{path}: {len(off)} of {len(others)} off by the others", *off, sep="\n", file=sys.stderr)
    expected = expected_numbers(runs).map(lambda value: float(f"{value:.{DIGITS}g}"))
    expected.to_csv(sys.stdout)


if __name__ == "__main__":
    main()
