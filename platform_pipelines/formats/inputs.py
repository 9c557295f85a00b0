"""Which files a stream name stands for: globs, folders, archives, and nothing outside the root.

Reading and unpacking them is left to ``workspace`` and the readers.
"""

from __future__ import annotations

import difflib
import fnmatch
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from platform_pipelines.errors import InvalidData

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = {
    "csv": (".csv", ".tsv", ".txt"),
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "json": (".json",),
    "parquet": (".parquet", ".pq"),
}
COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = frozenset("*?[")
_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """One file to read.

    Attributes:
        label: its path under the root, ``archive.zip/member`` inside an archive.
        path: the file, or the archive that holds it.
        member: its name inside the archive.
        size: bytes on disk, of the archive for a member.
        modified: nanoseconds since 1970.
    """

    label: str
    path: Path
    member: str | None = None
    size: int = 0
    modified: int = 0


def find_inputs(root: Path, name: str, file_format: str) -> list[InputFile]:
    """The files that a stream name stands for, in order of their paths.

    Args:
        root: the connection's folder.
        name: a path or glob under it, a folder, ``archive.zip``, ``archive.zip/member``,
            or a file's name without its suffix.
        file_format: csv, jsonl, json or parquet; a folder's files are chosen by its suffixes.

    Raises:
        InvalidData: nothing matches, or something lies outside the root.
    """
    check_relative(name, "Stream")
    found = sorted(_expand(root, name, file_format))
    _check_all_inside(root, found, name)
    if not found:
        raise InvalidData(_nothing(root, name, file_format))
    return found


def check_relative(name: str, what: str) -> None:
    """Refuse names that lead out of the root.

    Raises:
        InvalidData: the name is empty, absolute, or has a part ``..``.
    """
    path = PurePosixPath(name)
    if not name.strip() or path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        msg = f"{what} {name!r} is not allowed: it must be a relative path under the root, without `..`."
        raise InvalidData(msg)


def check_inside(root: Path, path: Path, name: str) -> None:
    """Refuse paths that symbolic links lead out of the root.

    Raises:
        InvalidData: the real path lies elsewhere.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        msg = f"{name!r} leads to {path.resolve()}, outside the root {root}. Move it there, or open a connection on it."
        raise InvalidData(msg)


def _check_all_inside(root: Path, files: Sequence[InputFile], name: str) -> None:
    """The same of many files: a folder is resolved once, since a path costs a system call for each part of it."""
    folders: set[Path] = set()
    for path in dict.fromkeys(file.path for file in files):
        if path.parent not in folders:
            check_inside(root, path.parent, name)
            folders.add(path.parent)
        if path.is_symlink():
            check_inside(root, path, name)


def fits(label: str, file_format: str) -> bool:
    """Whether a file's name says that it is of the format, compressed or not."""
    path = PurePosixPath(label)
    if path.suffix in COMPRESSED:
        path = path.with_suffix("")
    return path.suffix.lower() in SUFFIXES[file_format]


def data_files(folder: Path) -> Iterator[Path]:
    """All files below a folder but hidden ones and those whose names begin with ``_``, by path."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _hidden(folder, path):
            yield path


def _hidden(folder: Path, path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)


def _expand(root: Path, name: str, file_format: str) -> Iterator[InputFile]:
    if _MAGIC & set(name) and not (root / name).exists():
        archive, member = _split_archive(root, name)
        if archive is None:
            yield from _matches(root, [p for p in root.glob(name) if p.is_file() and not _hidden(root, p)], file_format)
        else:
            yield from _members(root, archive, member, file_format)
        return
    path = root / name
    if path.is_dir():
        wanted = [p for p in data_files(path) if fits(p.name, file_format) or p.suffix == ".zip"]
        yield from _matches(root, wanted, file_format)
    elif path.is_file():
        yield from _matches(root, [path], file_format)
    else:
        archive, member = _split_archive(root, name)
        if archive is not None:
            yield from _members(root, archive, member, file_format)
        else:
            yield from _matches(root, _without_suffix(path, file_format), file_format)


def _without_suffix(path: Path, file_format: str) -> list[Path]:
    endings = [*SUFFIXES[file_format]]
    endings += [f"{a}{b}" for a in SUFFIXES[file_format] for b in (*COMPRESSED, ".zip")] + [".zip"]
    found = [p for p in (path.with_name(path.name + ending) for ending in endings) if p.is_file()]
    return found[:1]


def _matches(root: Path, paths: list[Path], file_format: str) -> Iterator[InputFile]:
    for path in paths:
        if path.suffix.lower() == ".zip":
            yield from _members(root, path, None, file_format)
        else:
            stat = path.stat()
            yield InputFile(_label(root, path), path, None, stat.st_size, stat.st_mtime_ns)


def _split_archive(root: Path, name: str) -> tuple[Path | None, str | None]:
    parts = PurePosixPath(name).parts
    for i in range(1, len(parts)):
        path = root.joinpath(*parts[:i])
        if path.suffix.lower() == ".zip" and path.is_file():
            return path, "/".join(parts[i:])
    return None, None


def _members(root: Path, archive: Path, pattern: str | None, file_format: str) -> Iterator[InputFile]:
    check_inside(root, archive, archive.name)
    stat = archive.stat()
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [i.filename for i in opened.infolist() if not i.is_dir() and not i.filename.startswith("__MACOSX/")]
    except (zipfile.BadZipFile, OSError) as error:
        msg = f"{_label(root, archive)} is not a readable zip archive: {error}. Write it anew."
        raise InvalidData(msg) from error
    chosen = [n for n in names if pattern is None or n == pattern or fnmatch.fnmatchcase(n, pattern)]
    if pattern is None and len(chosen) > 1:
        chosen = [n for n in chosen if fits(n, file_format)]
    for member in chosen:
        yield InputFile(f"{_label(root, archive)}/{member}", archive, member, stat.st_size, stat.st_mtime_ns)


def _label(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _nothing(root: Path, name: str, file_format: str) -> str:
    if not root.is_dir():
        return f"The folder {root} does not exist, so {name!r} matches no file. Mend the connection's `root`."
    known = [_label(root, p) for p in islice(data_files(root), _LOOKED_AT)]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    hint = f" Near matches: {', '.join(near)}." if near else " The folder is empty."
    kinds = ", ".join(SUFFIXES[file_format])
    return f"No file matches {name!r} under {root} (format {file_format}: {kinds}, compressed or not).{hint}"
