"""Every error this package raises on purpose, classed by what to do next.

    PipelinesError
    ├── SpecError            fix the YAML, the command or the environment    exit 2
    │   ├── SpecErrors       all that is wrong in a set of files
    │   ├── UsageError       a command or call that makes no sense
    │   └── SecretError      a secret reference that does not resolve
    ├── DataError            fix the data, or change what the YAML declares  exit 1
    │   ├── CursorError      cursor missing, NULL, or of a new type
    │   │   └── BoundMismatch  a bound that the cursor field does not compare with
    │   ├── SchemaDrift      the schema contract refuses a change
    │   ├── GateClosed       the quality gate held a batch                   exit 3
    │   ├── DeletesRefused   more rows are gone at the source than is allowed
    │   ├── InvalidData      a value, file or key that cannot be loaded
    │   └── Unreconciled     source and destination differ after a load
    ├── RetriableError       try again                                       exit 1
    │   ├── FeedBusy         another run holds the feed
    │   ├── OffsetConflict   another run loaded the batch first
    │   └── ConnectError     the system cannot be reached                    exit 4
    └── FatalError           call someone: a promise would be broken         exit 1
        ├── UnexpectedError  an exception that nobody foresaw, as its cause
        ├── StoreCorrupt     the landing log does not say what it must
        └── AccountingError  rows read are not all accounted for

What does *not* belong here: catching. Each error is raised where the fact is
known and shown where a person or a machine reads it (cli, orchestration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PipelinesError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 1


class StartOver(Exception):
    """All pages of a read are void: what they were read by turned out wrong. Read again, not ``restartable``."""


class SpecError(PipelinesError):
    """The declaration is wrong: fix the YAML, the command or the environment.

    Args:
        message: what is wrong, what is allowed, and the next step.
        file: path of the YAML file, shown as ``file:line``.
        line: line in that file, counted from 1.
        path: the keys that lead to what is wrong, within what was looked at; who knows the lines of keys adds the line.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, path: tuple[int | str, ...] = ()
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.path = path
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{place}{message}")


class SpecErrors(SpecError):
    """Everything that is wrong in a set of files, so that it can be mended at once.

    Args:
        errors: at least one; the message shows each on a line of its own.
    """

    def __init__(self, errors: Sequence[SpecError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class UsageError(SpecError):
    """A command line or a call that makes no sense for this pipeline."""


class SecretError(SpecError):
    """A secret reference such as ``${env://NAME}`` does not resolve."""


class DataError(PipelinesError):
    """The data does not fit the declaration: mend one of the two."""


class CursorError(DataError):
    """The cursor field is missing, NULL where it must not be, or of a new type."""


class BoundMismatch(CursorError):
    """A bound of a read and the cursor field are of types that do not compare.

    Args:
        what: which types, as a sentence; whoever knows where the bound comes from says what to mend.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} If the source changed the type of its cursor field, start over with "
            "`pipelines run NAME --full-refresh`."
        )


class SchemaDrift(DataError):
    """The source's schema changed in a way the schema contract refuses."""


class GateClosed(DataError):
    """The quality gate held a batch; no destination was touched.

    Args:
        message: which limit was passed, and what can be done.
        validated: the ``engine.report.Validated`` of the feed, with every rule's outcome.
    """

    exit_code = 3

    def __init__(self, message: str, validated: object = None) -> None:
        super().__init__(message)
        self.validated = validated


class DeletesRefused(DataError):
    """More rows are gone at the source than the pipeline may delete at once; nothing was deleted.

    Args:
        message: how many, how many are allowed, and what can be done.
        landed: the ``engine.report.Landed`` of the feed: what had been read before.
    """

    def __init__(self, message: str, landed: object = None) -> None:
        super().__init__(message)
        self.landed = landed


class InvalidData(DataError):
    """A value, a file or a key cannot be read or loaded as declared."""


class Unreconciled(DataError):
    """Rows are loaded, but the destination does not hold what the source does."""


class RetriableError(PipelinesError):
    """A passing fault: the same call may succeed when tried again."""


class FeedBusy(RetriableError):
    """Another run works on the same feed."""


class OffsetConflict(RetriableError):
    """Another run committed this load first; nothing was written twice."""


class ConnectError(RetriableError):
    """The system cannot be reached or refuses the credentials."""

    exit_code = 4


class FatalError(PipelinesError):
    """Going on would break a promise: someone must look."""


class UnexpectedError(FatalError):
    """An exception that nobody foresaw; it is the cause of this one."""

    @classmethod
    def of(cls, error: Exception, doing: str) -> UnexpectedError:
        """Wrap ``error``, which ended what was being done; its traceback stays with it."""
        wrapped = cls(
            f"{doing} ended with an error that was not foreseen: {type(error).__name__}: {error}. Nothing is half "
            "done. See the traceback with PIPELINES_DEBUG=1, and please report it."
        )
        wrapped.__cause__ = error
        return wrapped


class StoreCorrupt(FatalError):
    """A manifest or a batch in the landing log is unreadable or changed."""


class AccountingError(FatalError):
    """Rows read are not equal to rows loaded, rejected, filtered and deduplicated."""
