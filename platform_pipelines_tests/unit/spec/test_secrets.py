"""Secret references: resolved on demand, named when missing, masked everywhere."""

from __future__ import annotations

import base64
import json
import sys
import threading
import types
from typing import TYPE_CHECKING

import pytest

from platform_pipelines.errors import SecretError
from platform_pipelines.spec import secrets
from platform_pipelines.spec.secrets import has_reference, mask, register, resolve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_forms", set())
    monkeypatch.setattr(secrets, "_pattern", None)


def test_references_resolve_anywhere_in_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_NAME", "alice")
    monkeypatch.setenv("USER_PASSWORD", "s3cr3t!")
    value = {
        "url": "pg://${env://USER_NAME}:${env://USER_PASSWORD}@host/db",
        "list": ["${env://USER_NAME}", 3],
        "n": None,
    }
    assert resolve(value) == {"url": "pg://alice:s3cr3t!@host/db", "list": ["alice", 3], "n": None}


def test_has_reference_looks_everywhere() -> None:
    assert has_reference({"a": [1, {"b": "x ${env://A} y"}]})
    assert has_reference(("${file:///x}",))
    assert not has_reference({"a": ["$HOME", "${HOME}", 1, None]})


def test_a_default_stands_in_for_a_variable_that_is_missing_or_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setenv("EMPTY", "")
    assert resolve("${env://NOT_SET:-data/lake}") == "data/lake"
    assert resolve("${env://EMPTY:-fallback}") == "fallback"
    assert resolve("${env://NOT_SET:-}") == ""
    assert resolve("${env://EMPTY}") == ""
    assert mask("data/lake and fallback") == "data/lake and fallback"


def test_a_password_inside_a_default_is_masked() -> None:
    resolve("${env://NOT_SET_DSN:-host=db password=hunter22 user=x}")
    assert mask("login with hunter22 failed") == "login with *** failed"


def test_a_missing_variable_is_named_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_DSN", raising=False)
    with pytest.raises(SecretError) as caught:
        resolve({"dsn": "${env://PG_DSN}"})
    assert str(caught.value) == (
        "${env://PG_DSN}: environment variable PG_DSN is not set. Set it, or give a default: ${env://PG_DSN:-default}."
    )


def test_files_are_read_without_their_last_line_break(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc-token\n", encoding="utf-8")
    assert resolve(f"${{file://{path}}}") == "abc-token"
    assert mask("got abc-token") == "got ***"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("${file:///no/such/file}", "${file:///no/such/file}: the file cannot be read (No such file or directory). Create it"),
        ("${file://relative}", "${file://relative}: the path must be absolute. Write ${file:///path/to/secret}"),
        ("${vault://x}", "Unknown secret reference ${vault://…}. Allowed: ${env://…}, ${file://…}, ${gsm://…}."),
        ("${env://hunter2!}", "A reference ${env://…} does not name a variable. Write ${env://NAME} or ${env://NAME:-default}."),
        ("${gsm://short}", "${gsm://short}: write ${gsm://projects/PROJECT/secrets/NAME}"),
    ],
)  # fmt: skip
def test_references_that_cannot_resolve(reference: str, message: str) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(reference)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_binary_file_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError, match=r"the file is not UTF-8 text\. Store the secret as text"):
        resolve(f"${{file://{path}}}")


def test_a_missing_client_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud", types.ModuleType("google.cloud"))
    with pytest.raises(SecretError, match="Run `pip install google-cloud-secret-manager`"):
        resolve("${gsm://projects/p/secrets/s}")


class SecretManager:
    """Stands in for Google's service, which no machine of ours can run."""

    class SecretManagerServiceClient:
        def access_secret_version(self, name: str) -> types.SimpleNamespace:
            if name == "projects/p/secrets/refused/versions/latest":
                raise PermissionError(name)
            return types.SimpleNamespace(payload=types.SimpleNamespace(data=f"value of {name}".encode()))


def test_secret_manager_reads_the_latest_or_the_named_version(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("google.cloud")
    module.secretmanager = SecretManager  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.cloud", module)
    assert resolve("${gsm://projects/p/secrets/s}") == "value of projects/p/secrets/s/versions/latest"
    assert resolve("${gsm://projects/p/secrets/s/versions/3}") == "value of projects/p/secrets/s/versions/3"
    with pytest.raises(SecretError, match=r"Google Secret Manager refused \(PermissionError\). Check the name"):
        resolve("${gsm://projects/p/secrets/refused}")


def test_mask_hides_every_form_of_a_secret() -> None:
    text_with_quotes = "pä ss/w@rd\"'\\x"
    register(text_with_quotes)
    shown = [text_with_quotes, "p%C3%A4%20ss%2Fw%40rd%22%27%5Cx", json.dumps(text_with_quotes), repr(text_with_quotes)]
    text = " | ".join(shown)
    assert "rd" not in mask(text)
    assert mask("p%C3%A4+ss%2Fw%40rd%22%27%5Cx") == "***"


def test_mask_hides_passwords_of_a_dsn_alone() -> None:
    register("postgresql://alice:p%40ssw0rd@db:5432/x?sslmode=require")
    assert mask("FATAL: password p@ssw0rd for alice") == "FATAL: password *** for alice"
    assert mask("p%40ssw0rd") == "***"
    register("host=db user=bob password='two words' dbname=x")
    assert mask("two words") == "***"


def test_mask_hides_passwords_in_urls_it_has_never_seen() -> None:
    assert mask("cannot reach postgresql://alice:unknown@db/x") == "cannot reach postgresql://alice:***@db/x"
    assert mask("redis://:pw@h and http://host:8080/a@b") == "redis://:***@h and http://host:8080/a@b"


def test_longer_secrets_are_masked_first() -> None:
    register("token")
    register("token-with-more")
    assert mask("token-with-more token") == "*** ***"


def test_short_values_are_left_alone() -> None:
    register("abc")
    register("")
    assert mask("abc abcd") == "abc abcd"


def test_each_line_of_a_key_is_masked() -> None:
    register("-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\n")
    assert mask("line MIIEvQIBADANBg }") == "line *** }"


def test_registering_and_masking_from_many_threads() -> None:
    failures: list[str] = []

    def work(number: int) -> None:
        for index in range(20):
            register(f"secret-{number}-{index}-end")
            masked = mask(f"<secret-{number}-{index}-end>")
            if masked != "<***>":
                failures.append(masked)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("user", ["", "a", "bo", "amy"])
def test_basic_authentication_hides_the_password_however_it_is_aligned(user: str) -> None:
    register("correct-horse/battery?")
    header = base64.b64encode(f"{user}:correct-horse/battery?".encode()).decode()
    urlsafe = header.replace("+", "-").replace("/", "_")
    assert "***" in mask(header)
    assert all(header[i : i + 8] not in mask(header) for i in range(8, len(header) - 12))
    assert "***" in mask(urlsafe)


@pytest.mark.parametrize(
    "shown",
    ["p%c3%a4%20ss%2fw%40rd", "a &lt;b&gt; c", json.dumps(json.dumps('quo"te\\d secret'))],
)
def test_forms_that_servers_and_formatters_make_are_masked(shown: str) -> None:
    for secret in ("pä ss/w@rd", "a <b> c", 'quo"te\\d secret'):
        register(secret)
    assert mask(shown).strip('"\\') == "***"


def test_pieces_of_a_password_that_a_driver_cut_are_masked() -> None:
    register("postgresql://alice:first-half@second-half@db.example.com/x")
    assert mask('could not translate host name "second-half@db.example.com"') == (
        'could not translate host name "***@db.example.com"'
    )


def test_pieces_of_other_secrets_are_left_alone() -> None:
    register("/data/warehouse/file")
    assert mask("destination warehouse") == "destination warehouse"


def test_short_passwords_are_masked_where_it_is_said_that_they_are_one() -> None:
    assert mask("refused: host=db password=abc user=x") == "refused: host=db password=*** user=x"
    assert mask("postgresql://u:abc@db/x") == "postgresql://u:***@db/x"
