"""What goes wrong, in the command's words."""

from __future__ import annotations


class Error(Exception):
    """Something that genelift could not do. Its text names the place, what was expected, what was found, and the remedy."""


class UsageError(Error, ValueError):
    """An argument is out of range or contradicts another."""


class UnknownOptionError(UsageError, TypeError):
    """The command has no option of this name."""


class DataError(Error, ValueError):
    """Data or a file hold something other than what they should, or cannot be used as asked."""


class OutputExistsError(Error, FileExistsError):
    """An output is already there; ``force=True`` replaces it."""


class FileError(Error, OSError):
    """The system refused to read or to write."""


class DeviceError(Error, RuntimeError):
    """There is no such device, it was lost, or its memory does not suffice."""


class DivergedError(Error, ArithmeticError):
    """Training left the finite numbers."""


class InterruptedCall(Error, RuntimeError):
    """The call was asked to end."""


class GeneliftWarning(UserWarning):
    """Something that should be known although the call went on."""


_CLASSES: dict[str, type[Error]] = {
    "usage": UsageError,
    "unknown": UnknownOptionError,
    "data": DataError,
    "exists": OutputExistsError,
    "io": FileError,
    "device": DeviceError,
    "diverged": DivergedError,
    "interrupted": InterruptedCall,
    "bug": Error,
}


def failure(kind: str, message: str) -> Error:
    """The exception for an error of the library."""
    return _CLASSES[kind](message)
