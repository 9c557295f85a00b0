"""Masks against hashlib and hmac."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest

from platform_pipelines.errors import SecretError, SpecError
from platform_pipelines.transforms import mask

if TYPE_CHECKING:
    from platform_pipelines_tests.unit.transforms.conftest import Bench

SALT = 'it\'s a "salt", ä'
REFERENCE = "${env://MASK_SALT}"


@pytest.fixture(autouse=True)
def salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_SALT", SALT)


def masked(bench: Bench, way: Any, literal: str = "'ä@b.c'") -> Any:
    done = bench.apply(f"select * from (values ({literal}), (null)) t(v)", {"mask": {"v": way}})
    assert bench.read(done.relation)[1] == (None,), "NULL stays NULL"
    return bench.read(done.relation)[0][0]


def test_sha256_with_a_salt(bench: Bench) -> None:
    expected = hashlib.sha256((SALT + "ä@b.c").encode()).hexdigest()
    assert masked(bench, {"how": "sha256", "salt": REFERENCE}) == expected
    assert masked(bench, {"how": "sha256"}) == masked(bench, "sha256") == hashlib.sha256("ä@b.c".encode()).hexdigest()


@pytest.mark.parametrize("key", [SALT, "k", "x" * 64, "long" * 40])
def test_tokens_are_an_hmac(bench: Bench, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MASK_SALT", key)
    digest = hmac.new(key.encode(), "ä@b.c".encode(), "sha256").hexdigest()[:32]
    assert masked(bench, {"how": "tokenize", "salt": REFERENCE}) == f"tok_{digest}"
    assert masked(bench, {"how": "tokenise", "salt": REFERENCE, "prefix": "p'"}) == f"p'{digest}"


@pytest.mark.parametrize(
    ("literal", "way", "expected"),
    [
        ("'4111111111111111'", "keep_last", "***1111"),
        ("'4111111111111111'", {"how": "keep_last", "n": 2}, "***11"),
        ("'1234'", "keep_last", "***"),
        ("''", "keep_last", "***"),
        ("123456", "keep_last", "***3456"),
        ("'secret'", "redact", "***"),
        ("{'a': 1}", {"how": "keep_last", "n": 3}, "***:1}"),
    ],
)
def test_what_is_shown(bench: Bench, literal: str, way: Any, expected: str) -> None:
    assert masked(bench, way, literal) == expected


def test_numbers_and_their_text_have_one_token(bench: Bench) -> None:
    way = {"how": "tokenize", "salt": REFERENCE}
    assert masked(bench, way, "42") == masked(bench, way, "'42'") != masked(bench, way, "'043'")


def test_the_salt_stands_in_no_sql(bench: Bench) -> None:
    ways = {"v": {"how": "sha256", "salt": REFERENCE}, "w": {"how": "tokenize", "salt": REFERENCE}}
    bench.apply("select 'a' as v, 'b' as w", {"mask": ways})
    views = bench.connection.execute("select sql from duckdb_views() where temporary").fetchall()
    assert views
    assert not [text for (text,) in views if "salt" in text and SALT[5:9] in text.replace("_pipelines_salt", "")]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("md5", "Unknown mask 'md5' for `v`. Allowed: sha256, redact, keep_last, tokenize"),
        ("tokenize", "needs a salt, else tokens can be guessed"),
        ({"how": "sha256", "salt": "pepper"}, "must be a secret reference"),
        ({"how": "redact", "n": 3}, "`mask.v` has the unknown key `n`"),
        ({"how": "keep_last", "n": 0}, "`n` must be a number of characters"),
        ({"how": "keep_last", "n": True}, "`n` must be a number of characters"),
        ({"how": "tokenize", "salt": REFERENCE, "prefix": 3}, "`prefix` must be a text"),
        ({"salt": REFERENCE}, "Unknown mask None"),
    ],
)
def test_ways_that_can_never_work_are_refused(way: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        mask.check({"v": way})


def test_an_empty_salt_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_SALT", "")
    with pytest.raises(SecretError, match=r"The salt \$\{env://MASK_SALT\} of a mask is empty"):
        masked(bench, {"how": "sha256", "salt": REFERENCE})
