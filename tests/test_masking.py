"""What a secret is, and that text of others is safe to print."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from harness import masking
from harness.errors import AnswerError
from harness.machine.logs import one_line


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", set())


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "SHOP_DB_PASSWORD",
        "passwd",
        "API_KEY",
        "apikey",
        "X-Api-Key",
        "SECRET_KEY",
        "CLIENT_SECRET",
        "GITHUB_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "credentials",
        "PRIVATE_KEY",
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
    ],
)
def test_a_key_that_names_a_secret(key: str) -> None:
    """By its words, whatever their case, and by what HTTP keeps secrets in."""
    assert masking.mask("open sesame", key) == "***"


@pytest.mark.parametrize("key", ["", "Accept", "SHOP_DATABASE", "author", "COOKIE_DOMAIN", "keyboard", "PASS_THROUGH"])
def test_a_key_that_names_none(key: str) -> None:
    """Its value is recorded."""
    assert masking.mask("open sesame", key) == "open sesame"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("postgresql+asyncpg://shop:p@ss:w/ord@db/shop", "postgresql+asyncpg://shop:***@db/shop"),
        ("Redis at redis://u:pw@h:1/0 does not answer", "Redis at redis://u:***@h:1/0 does not answer"),
        ("/orders?page=2&access_token=abc&x=1", "/orders?page=2&access_token=***&x=1"),
        ("user=me&password=a+b", "user=me&password=***"),
        ('{"user": "me", "password": "a b"}', '{"user": "me", "password": "***"}'),
        ("http://127.0.0.1:8000/json", "http://127.0.0.1:8000/json"),
        ("https://user@host/", "https://user@host/"),
        ("unexpected token: }", "unexpected token: }"),
    ],
)
def test_a_secret_within_text(text: str, shown: str) -> None:
    """The rest of the text stays."""
    assert masking.mask(text) == shown
    assert masking.mask(shown) == shown, "a mask is no secret"


def test_what_was_learnt_is_masked_wherever_a_server_repeats_it() -> None:
    """Whole, decoded, without its scheme, as the value of a cookie; in every error, and in what is quoted of a log."""
    basic = base64.b64encode(b"shop:correct-horse").decode()
    masking.learn("Bearer tok-1234567", "Authorization")
    masking.learn("Basic " + basic, "Authorization")
    masking.learn("session=sess-42-42; theme=dark", "Cookie")
    masking.learn("redis://:h%40nter22@localhost/0")
    said = f"tok-1234567 {basic} correct-horse sess-42-42 h%40nter22 h@nter22 dark Bearer"
    assert masking.plain(said) == "*** *** *** *** *** *** dark Bearer"
    assert str(AnswerError(said)) == one_line(said) == masking.plain(said)


def test_a_secret_that_is_short_is_not_looked_for_in_text() -> None:
    """It would blot out ordinary words."""
    masking.learn("on", "USE_TOKEN")
    assert masking.plain("one answer is on time") == "one answer is on time"


def test_a_terminal_finds_nothing_to_obey_in_text_of_others() -> None:
    """Escape sequences, bells, and what turns the direction of text; the lines of several problems stay."""
    evil = "body \x1b[2J\x1b]0;owned\x07\r\x9b31m\u202etxet"
    assert str(AnswerError(f"{evil}\nsecond")) == "body  [2J ]0;owned   31m txet\nsecond"
    assert one_line(evil) == "body [2J ]0;owned 31m txet"


def test_a_word_of_a_mebibyte_is_read_in_no_time() -> None:
    """As a picture in the body of a request is: it would otherwise be read from each of its characters on."""
    code = "from harness import masking as m; word = 'token' * 210_000; m.learn(word); print(m.mask(word) == word)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
