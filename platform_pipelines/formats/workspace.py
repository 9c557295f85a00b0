"""A private temporary folder in which files are unpacked, transcoded and spooled.

Archive members are written under numbers, never under their own names; what
unpacks to far more than it should is refused. Parsing is left to the readers.
"""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.inputs import COMPRESSED
from platform_pipelines.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from platform_pipelines.formats.inputs import InputFile
    from platform_pipelines.formats.options import TextOptions

_CHUNK = 1 << 20
#: a file, or an archive with all that is read of it, that unpacks to more than this many times its size, beyond the
#: free allowance, is taken for a bomb
_RATIO = 250
_FREE_BYTES = 256 << 20
_UTF8 = "utf-8"


class Workspace:
    """The folder; removed by :meth:`close`, with the last reference, at exit, or after a kill by a later run."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self.path = self._scratch.path
        self._numbers = count()
        self._unpacked: dict[Path, _Unpacked] = {}

    def close(self) -> None:
        """Remove the folder and all in it."""
        self._scratch.close()

    def new(self, suffix: str) -> Path:
        """A path in the folder that no file has yet."""
        return self.path / f"{next(self._numbers):06d}{suffix}"

    def plain(self, file: InputFile, options: TextOptions) -> Path:
        """The file as uncompressed UTF-8: itself where it is, else a copy in the folder.

        Raises:
            InvalidData: it cannot be unpacked or decoded.
        """
        kind = _compression(file, options)
        if file.member is None and kind is None and options.encoding == _UTF8:
            return file.path
        target = self.new(".plain")
        try:
            with _opened(file, kind) as stream, target.open("wb") as out:
                _copy(self._counted(stream, file), out, file, options.encoding)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            msg = f"{file.label} cannot be unpacked: {error}. It may be cut off or damaged; write it anew."
            raise InvalidData(msg) from error
        return target

    def _counted(self, stream: Any, file: InputFile) -> Iterator[bytes]:  # noqa: ANN401 - any readable file
        """The stream's chunks, up to what its file may unpack to: an archive with all members that were read of it.

        Raises:
            InvalidData: it is more.
        """
        of = self._unpacked.setdefault(file.path, _Unpacked())
        of.begin(file.member)
        allowed = max(_FREE_BYTES, file.size * _RATIO)
        while chunk := stream.read(_CHUNK):
            of.add(file.member, len(chunk))
            if of.bytes > allowed:
                raise InvalidData(_bomb(file, allowed, len(of.members)))
            yield chunk


@dataclass(slots=True)
class _Unpacked:
    """What has been unpacked of one file.

    Attributes:
        bytes: in all.
        members: by member; None stands for the file itself.
    """

    bytes: int = 0
    members: dict[str | None, int] = field(default_factory=dict)

    def begin(self, member: str | None) -> None:
        """Count a member anew: one that is unpacked again takes the place of what it was."""
        self.bytes -= self.members.get(member, 0)
        self.members[member] = 0

    def add(self, member: str | None, size: int) -> None:
        self.bytes += size
        self.members[member] += size


def _bomb(file: InputFile, allowed: int, members: int) -> str:
    what = f"{file.label} unpacks"
    if members > 1:
        what = f"{file.label.removesuffix(f'/{file.member}')} unpacks, with {members} of its members,"
    return (
        f"{what} to more than {allowed} bytes from {file.size}: taken for a decompression bomb. "
        "Unpack it by hand if it is not one."
    )


def _compression(file: InputFile, options: TextOptions) -> str | None:
    if options.compression == "auto":
        return COMPRESSED.get(PurePosixPath(file.label).suffix.lower())
    return None if options.compression == "none" else options.compression


@contextmanager
def _opened(file: InputFile, kind: str | None) -> Iterator[Any]:
    if file.member is None:
        with file.path.open("rb") as raw, _decompressed(raw, kind) as stream:
            yield stream
        return
    with (
        zipfile.ZipFile(file.path) as archive,
        archive.open(file.member) as member,
        _decompressed(member, kind) as plain,
    ):
        yield plain


@contextmanager
def _decompressed(raw: Any, kind: str | None) -> Iterator[Any]:  # noqa: ANN401 - any readable file
    if kind == "gzip":
        with gzip.GzipFile(fileobj=raw) as stream:
            yield stream
    elif kind == "zstd":
        import pyarrow as pa

        with pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
            yield stream
    else:
        yield raw


def _copy(chunks: Iterable[bytes], out: IO[bytes], file: InputFile, encoding: str) -> None:
    decoder = None if encoding == _UTF8 else codecs.getincrementaldecoder(encoding)()
    for chunk in chunks:
        out.write(_decode(decoder, chunk, file, encoding) if decoder else chunk)
    if decoder:
        out.write(_decode(decoder, b"", file, encoding))


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, file: InputFile, encoding: str) -> bytes:
    try:
        return decoder.decode(chunk, final=not chunk).encode(_UTF8)
    except UnicodeError as error:
        msg = f"{file.label} is not written in {encoding}: {error}. Mend the option `encoding`."
        raise InvalidData(msg) from error
