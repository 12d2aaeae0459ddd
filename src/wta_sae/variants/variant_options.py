"""The settings that a variant has of its own: a dataclass, from which schema, flags and recorded metadata follow."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from wta_sae.base.errors import UserError

JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def option(default: Any, **limits: float) -> Any:
    """A field of VariantOptions whose values have limits, by JSON schema's names: minimum=1, exclusiveMinimum=0."""
    return field(default=default, metadata=limits)


@dataclass(frozen=True)
class VariantOptions:
    """No options. A variant that has some gives them as fields, with defaults, of a subclass.

    A field is of a type in JSON_TYPES, or a Literal of the words that it may be. Raises UserError for a value that is not.
    """

    def __post_init__(self) -> None:
        schema = {"properties": self.schema()}
        if (error := best_match(Draft202012Validator(schema).iter_errors(asdict(self)))) is not None:
            raise UserError(f"{error.absolute_path[0]}: {error.message}")

    @classmethod
    def schema(cls) -> dict[str, dict[str, Any]]:
        """Each option's JSON schema."""
        types = get_type_hints(cls)
        return {
            one.name: (
                {"enum": list(get_args(types[one.name]))}
                if get_origin(types[one.name]) is Literal
                else {"type": JSON_TYPES[types[one.name]], **one.metadata}
            )
            for one in fields(cls)
        }

    def words(self) -> list[str]:
        """Each option as a word of the command line: gate=never, floor=2."""
        return [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in asdict(self).items()]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Self:
        """What `words` gives, read back; an option that is not among them has its default. Raises UserError for a bad word."""
        return cls(**{name: cls._value(name, text) for name, text in (_split(word) for word in words)})

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> Self:
        """The options in a variant's section of the config, which may hold more."""
        return cls(**{name: section[name] for name in cls.schema() if name in section})

    @classmethod
    def _value(cls, name: str, text: str) -> Any:
        types = get_type_hints(cls)
        if name not in types:
            raise UserError(f"--options: {name!r} is unknown; this variant's are: {', '.join(types) or 'none'}")
        if types[name] is bool:
            return {"true": True, "false": False}.get(text, text)
        try:
            return types[name](text) if types[name] in JSON_TYPES else text
        except ValueError:
            return text  # which the schema refuses by its name


def _split(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UserError(f"--options: {word!r} is not of the form NAME=VALUE")
    return name, text
