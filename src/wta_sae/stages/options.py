"""Command-line flags from a dataclass: a config section, a dataclass of options and a stage's flags share their names."""

import argparse
import dataclasses
from typing import Any, ClassVar, Protocol, TypeVar


class Options(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Options)


def add_options(parser: argparse.ArgumentParser, options: type) -> None:
    """One required flag for each field, in its type, with the field's `help` metadata."""
    for field in dataclasses.fields(options):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=field.type, required=True, help=field.metadata["help"], metavar="X")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """How many threads a stage computes with, whatever the machine has: another number sums in another order."""
    parser.add_argument("--threads", type=int, default=1, help="of the computation; the result depends on it (default: 1)")


def read_options(arguments: argparse.Namespace, options: type[T]) -> T:
    """The dataclass that the flags fill."""
    return options(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(options)})
