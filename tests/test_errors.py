"""The error tree: what to catch, and the exit code that a shell sees."""

from __future__ import annotations

import pytest

from churnkit import errors
from churnkit.errors import (
    ChurnkitError,
    ConfigError,
    DataError,
    ModelGuardError,
    ParameterError,
    UnknownNameError,
)


def test_one_class_catches_every_error():
    """Every public name of the module is a ChurnkitError."""
    classes = [getattr(errors, name) for name in errors.__all__]

    assert len(classes) == 6
    assert all(issubclass(cls, ChurnkitError) for cls in classes)
    assert errors.__all__ == sorted(errors.__all__)


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (ChurnkitError, 1),
        (ConfigError, 2),
        (ParameterError, 2),
        (UnknownNameError, 2),
        (DataError, 3),
        (ModelGuardError, 4),
    ],
)
def test_exit_codes_are_those_of_the_interface(cls, code):
    """1 unexpected, 2 configuration, 3 data, 4 a guard of the model: the documented codes."""
    assert cls("words").exit_code == code


@pytest.mark.parametrize(
    ("cls", "builtin"), [(ParameterError, ValueError), (UnknownNameError, KeyError)]
)
def test_errors_of_arguments_are_the_builtin_kind_too(cls, builtin):
    """Code that catches ValueError or KeyError catches ours."""
    error = cls("gap_days is negative")

    with pytest.raises(builtin, match="gap_days is negative"):
        raise error


@pytest.mark.parametrize("name", errors.__all__)
def test_the_sentence_is_shown_as_written(name):
    """No error adds quotes or anything else to its message; KeyError alone would."""
    assert str(getattr(errors, name)("unknown model 'x'.")) == "unknown model 'x'."
