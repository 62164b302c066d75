"""Every error that churnkit raises on purpose, and the exit code each has in a shell.

ChurnkitError           1
├── ConfigError         2  a configuration file is wrong
├── DataError           3  a file or table is missing, unreadable or breaks its contract
├── ModelGuardError     4  a model refuses its own result
├── ParameterError      2  an argument is wrong (also a ValueError)
└── UnknownNameError    2  a name is not registered (also a KeyError)
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ChurnkitError",
    "ConfigError",
    "DataError",
    "ModelGuardError",
    "ParameterError",
    "UnknownNameError",
]


class ChurnkitError(Exception):
    """Base of all errors raised by churnkit; catch this to catch them all."""

    exit_code: ClassVar[int] = 1


class ConfigError(ChurnkitError):
    """A configuration holds an unknown key, a value outside its range, or asks for what is not there."""

    exit_code: ClassVar[int] = 2


class DataError(ChurnkitError):
    """A file cannot be read, a table lacks a column, or rows break the table's contract."""

    exit_code: ClassVar[int] = 3


class ModelGuardError(ChurnkitError):
    """A model, or the data given to it, fails a check that the model itself demands."""

    exit_code: ClassVar[int] = 4


class ParameterError(ChurnkitError, ValueError):
    """An argument has a value outside its documented range."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(ChurnkitError, KeyError):
    """A name is not registered."""

    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        """Return the message as written; KeyError would quote it."""
        return str(self.args[0])
