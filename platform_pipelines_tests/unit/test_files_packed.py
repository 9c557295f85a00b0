"""Archives, bombs, and names that lead out of the root."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from platform_pipelines.errors import InvalidData
from platform_pipelines.formats.inputs import find_inputs
from platform_pipelines.formats.options import TextOptions
from platform_pipelines.formats.workspace import Workspace

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.drop import Drop


def test_compressed_files(drop: Drop) -> None:
    drop.put("a.csv.gz", gzip.compress(b"id\n1\n"))
    with pa.output_stream(str(drop.folder / "b.csv.zst"), compression="zstd") as out:
        out.write(b"id\n2\n")
    with zipfile.ZipFile(drop.folder / "c.zip", "w") as archive:
        archive.writestr("x.csv", "id\n3\n")
        archive.writestr("../../evil.csv", "id\n4\n")
        archive.writestr("notes.md", "not data")
    assert drop.read("a.csv.gz")[0] == [{"id": 1}]
    assert drop.read("b.csv.zst")[0] == [{"id": 2}]
    assert drop.read("c.zip/x.csv")[0] == [{"id": 3}]
    assert sorted(r["id"] for r in drop.read("c.zip")[0]) == [3, 4]
    assert drop.read("c")[0] == drop.read("c.zip")[0]
    assert not (drop.folder.parent.parent / "evil.csv").exists()


@pytest.mark.parametrize("cut", [10, 40])
def test_a_cut_off_archive_is_not_read_in_part(drop: Drop, cut: int) -> None:
    packed = gzip.compress(b"id\n" + b"".join(b"%d\n" % (i * 7919) for i in range(50_000)))
    drop.put("a.csv.gz", packed[:-cut])
    with pytest.raises(InvalidData, match=r"a.csv.gz cannot be unpacked"):
        drop.read("a.csv.gz")


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


ZEROS = b"0" * 5_000_000


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.csv.gz", gzip.compress(ZEROS)),
        ("a.csv.zst", pa.Codec("zstd").compress(ZEROS, asbytes=True)),
        ("a.zip", zipped("a.csv", ZEROS)),
        ("a.zip", zipped("a.csv.gz", gzip.compress(ZEROS))),
    ],
    ids=["gzip", "zstd", "zip", "gzip in zip"],
)
def test_bombs_are_refused(drop: Drop, monkeypatch: pytest.MonkeyPatch, name: str, packed: bytes) -> None:
    monkeypatch.setattr("platform_pipelines.formats.workspace._FREE_BYTES", 1_000)
    drop.put(name, packed)
    with pytest.raises(InvalidData, match=f"{name}.* unpacks to more than .* taken for a decompression bomb"):
        drop.read(name)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.csv.gz", gzip.compress(bytes(16 << 20)) * 17),
        ("a.csv.zst", pa.Codec("zstd").compress(bytes(16 << 20), asbytes=True) * 17),
    ],
    ids=["gzip", "zstd"],
)
def test_a_bomb_is_refused_at_the_limit_that_is_shipped(drop: Drop, name: str, packed: bytes) -> None:
    """272 MiB, made of pieces of 16 MiB that follow one another; what may be unpacked freely ends at 256 MiB."""
    drop.put(name, packed)
    assert len(packed) < 1 << 20
    with pytest.raises(InvalidData, match=f"{name} unpacks to more than 268435456 bytes from {len(packed)}: taken"):
        drop.read(name)


def archive(members: int, rows: int) -> bytes:
    """A zip of CSV files, each of two bytes a row."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for number in range(members):
            opened.writestr(f"{number}.csv", "1\n" * rows)
    return packed.getvalue()


def test_a_bomb_of_many_members_is_refused_as_a_whole(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    """No member unpacks to more than the archive may; one alone is read."""
    monkeypatch.setattr("platform_pipelines.formats.workspace._FREE_BYTES", 1_000)
    packed = archive(20, 100_000)
    assert 200_000 < len(packed) * 250 < 20 * 200_000
    drop.put("a.zip", packed)
    with pytest.raises(InvalidData, match=r"a\.zip unpacks, with \d+ of its members, to more than \d+ bytes from "):
        drop.read("a.zip")
    assert len(drop.read("a.zip/3.csv")[0]) == 99_999


def test_many_members_below_the_limit_are_read(drop: Drop) -> None:
    drop.put("a.zip", archive(20, 100))
    assert len(drop.read("a.zip")[0]) == 20 * 99


def test_a_member_that_is_unpacked_again_counts_once(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform_pipelines.formats.workspace._FREE_BYTES", 1_000)
    monkeypatch.setattr("platform_pipelines.formats.workspace._RATIO", 0)
    drop.put("a.zip", archive(2, 200))
    workspace = Workspace()
    files = find_inputs(drop.folder, "a.zip", "csv")
    for _ in range(3):
        assert [workspace.plain(file, TextOptions()).stat().st_size for file in files] == [400, 400]


@pytest.mark.parametrize("name", ["../a.csv", "/etc/passwd", "x/../../a.csv", "", "a\\b.csv"])
def test_names_that_lead_out_of_the_root_are_refused(drop: Drop, name: str) -> None:
    with pytest.raises(InvalidData, match="must be a relative path under the root"):
        drop.read(name)


def test_links_that_lead_out_of_the_root_are_refused(drop: Drop, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.csv").write_text("id\n1\n")
    (drop.folder / "in").symlink_to(outside)
    with pytest.raises(InvalidData, match="outside the root"):
        drop.read("in/a.csv")
