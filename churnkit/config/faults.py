"""Faults of a configuration: found all at once, said in sentences, raised as one error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from churnkit.config.keys import allowed, choices, dotted, field_at, section_of, walk
from churnkit.config.not_built import asks_for_not_built
from churnkit.errors import ConfigError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pydantic_core import ErrorDetails

    from churnkit.config.keys import Path

__all__ = ["Fault", "FaultsError", "shown", "validated"]

LONGEST_SHOWN = 60
MOST_GUESSES = 2

Model = TypeVar("Model", bound=BaseModel)


class Fault(NamedTuple):
    """Where in the configuration something is wrong, and the sentence that says what."""

    path: Path
    sentence: str


class FaultsError(ValueError):
    """Several faults found by one check, with paths below the value that was checked."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{dotted(path)}: {sentence}" for path, sentence in faults))
        self.faults = faults


def shown(value: object) -> str:
    """Return a value as a message shows it: YAML's words for null, true and false; long ones cut.

    Examples
    --------
    >>> shown(None), shown(True), shown("30")
    ('null', 'true', "'30'")
    """
    words = {"None": "null", "True": "true", "False": "false"}
    text = words.get(repr(value), repr(value))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def validated(
    model: type[Model],
    raw: object,
    *,
    where: str,
    overridden: Collection[Path] = (),
    already: Sequence[str] = (),
) -> Model:
    """Return the model of a raw mapping, or raise one error with all faults in it.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        The whole configuration.
    raw : object
        As read from YAML; a dict if all is well.
    where : str
        What the user calls the mapping: the path of the file.
    overridden : collection of path
        Places that an override has set; their faults are said of the override, not of the file.
    already : sequence of str
        Complete messages of faults found before.

    Raises
    ------
    ConfigError
        With one line per fault: ``<where>: <path>: <sentence>``.
    """
    if not isinstance(raw, dict):
        msg = f"{where}: must be a mapping of keys to values; got {shown(raw)}"
        raise ConfigError(msg)
    not_built = asks_for_not_built(raw)
    faults: list[Fault] = []
    try:
        config = model.model_validate(raw)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        faults = [fault for line in lines for fault in _translated(line, model)]
    faults = [fault for fault in faults if not _below(fault.path, not_built)]
    faults += [Fault(path, sentence) for path, sentence in not_built.items()]
    if faults or already:
        messages = [
            ": ".join(
                part
                for part in (
                    "override" if _below(path, overridden) else where,
                    dotted(path),
                    sentence,
                )
                if part
            )
            for path, sentence in faults
        ]
        raise ConfigError("\n".join([*already, *messages]))
    return config


def _below(path: Path, tops: Iterable[Path]) -> bool:
    return any(path[: len(top)] == top for top in tops)


def _translated(line: ErrorDetails, model: type[BaseModel]) -> list[Fault]:
    """Return pydantic's finding in our words."""
    path, kind, value = line["loc"], line["type"], line["input"]
    cause = line.get("ctx", {}).get("error")
    if isinstance(cause, FaultsError):
        return [Fault((*path, *inner), sentence) for inner, sentence in cause.faults]
    if isinstance(cause, ValueError):
        return [Fault(path, str(cause))]
    if kind == "extra_forbidden":
        return [Fault(path, _unknown_key(path, model))]
    if kind == "invalid_key":
        return [Fault(path[:-1], f"key {path[-1]!r} must be text; put it in quotes")]
    field = field_at(model, path)
    if kind == "missing":
        return [Fault(path, f"required key is missing: {field.description}")]
    rule = allowed(field.annotation, path=path, metadata=tuple(field.metadata))
    hint = ""
    if value is None and section_of(field.annotation) is not None:
        hint = "; leave the key out for its defaults"
    elif isinstance(value, str) and "number" in rule and _is_number(value):
        hint = " (text; remove the quotes)"
    elif isinstance(value, str):
        hint = did_you_mean(value, choices(field.annotation, path=path))
        hint = f".{hint}" if hint else ""
    return [Fault(path, f"must be {rule}; got {shown(value)}{hint}")]


def _unknown_key(path: Path, model: type[BaseModel]) -> str:
    """Return the sentence for a key that does not exist, with the one that may be meant."""
    *above, key = path
    parent = section_of(field_at(model, tuple(above)).annotation) if above else None
    section = parent or model
    guess = did_you_mean(str(key), section.model_fields)
    if not guess:
        elsewhere = [dotted(known) for known, _ in walk(model) if known[-1] == key]
        if 1 <= len(elsewhere) <= MOST_GUESSES:
            guess = f" Did you mean {' or '.join(map(repr, elsewhere))}?"
    return (
        f"unknown key.{guess}"
        if guess
        else f"unknown key. Known: {', '.join(section.model_fields)}."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
