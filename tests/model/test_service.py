"""How services are written, and which of those that were reached are declared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.service import check_service, host_and_port, service_of, undeclared


@pytest.mark.parametrize(
    "text",
    ["api.example.org:443", "localhost:*", "127.0.0.1:1", "[::1]:65535", "[::1]:*", "db_1:5432", "münchen.example:80",
     "unix:/run/model.sock", "unix:@abstract", "unix:/with a blank"],
)  # fmt: skip
def test_what_names_a_service(text: str) -> None:
    check_service(text)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("https://api.example.org/v1", "did you mean 'api.example.org:443'?"),
        ("http://user:secret@api.example.org:8080/v1?x=1", "did you mean 'api.example.org:8080'?"),
        ("postgresql://db.example.org/claims", "did you mean 'db.example.org:5432'?"),
        ("ftp://a.b/c", "write host:port"),
        ("api.example.org", "did you mean 'api.example.org:443'?"),
        ("/run/model.sock", "did you mean 'unix:/run/model.sock'?"),
        ("localhost", "write host:port"),
        ("a:0", "write host:port"),
        ("a:65536", "write host:port"),
        ("::1:80", "write host:port"),
        ("*:80", "write host:port"),
        ("unix:relative", "write host:port"),
        ("unix:*", "write host:port"),
        ("unix:80", "write host:port"),
        ("a b:80", "write host:port"),
    ],
)
def test_what_names_none_is_refused_with_what_was_meant(text: str, fix: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        check_service(text)
    assert fix in caught.value.fix
    assert caught.value.code == "manifest.service"


@pytest.mark.parametrize(
    ("reached", "declared"),
    [
        ("api.example.org:443", "API.Example.Org.:0443"),
        ("[::1]:80", "[0:0:0:0:0:0:0:1]:80"),
        ("[::1]:80", "[::1]:*"),
        ("127.0.0.1:80", "[::ffff:127.0.0.1]:80"),
        ("xn--mnchen-3ya.example:80", "münchen.example:80"),
        ("unix:/run/a:b", "unix:/run/a:b"),
    ],
)
def test_two_writings_of_one_service_are_one(reached: str, declared: str) -> None:
    assert undeclared([reached], [declared]) == ()


@pytest.mark.parametrize(
    ("reached", "declared"),
    [
        ("a:80", "a:81"),
        ("a.b:80", "b:80"),
        ("aa:80", "a:*"),
        ("unix:/run/a", "unix:/run/b"),
        ("unix:/run/a", "unix:*"),
        ("unix:/Run", "unix:/run"),
    ],
)
def test_another_one_is_another_one(reached: str, declared: str) -> None:
    assert undeclared([reached], [declared]) == (reached,)


@given(host=st.text(max_size=20), port=st.integers(0, 70000))
def test_whatever_is_reached_has_a_writing_that_declares_it_alone(host: str, port: int) -> None:
    """Nothing that a program passes as a host can be mistaken for another service, or break the watcher."""
    service = service_of(host, port)
    assert service.endswith(f":{port}")
    assert undeclared([service], []) == (service,)
    assert undeclared([service], [f"{service.rpartition(':')[0]}:{port + 1}"]) == (service,)
    assert host_and_port("unix:/x") is None
