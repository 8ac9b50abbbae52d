"""Envelopes: what is signed, and what is refused before a signature is looked at."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.attest.dsse import open_envelope, pae, read_envelope, sign_envelope
from plimsoll.attest.keys import generate, load_public
from plimsoll.errors import UsageError, VerificationFailed

KIND = "application/vnd.example+json"
KEY = generate()
OTHER = generate("ecdsa-p256")
KEYS = (KEY.public, OTHER.public)


def test_the_encoding_is_that_of_the_public_protocol() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes() -> None:
    assert pae("é", "ü–".encode()) == b"DSSEv1 2 \xc3\xa9 5 \xc3\xbc\xe2\x80\x93"


def test_the_signature_of_the_public_protocol_verifies() -> None:
    """Its vector gives r and s side by side; our signatures are DER, as openssl and cosign have them."""
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    numbers = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    pem = numbers.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    raw = base64.b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    load_public(pem).verify(der, pae("http://example.com/HelloWorld", b"hello world"))


@given(st.binary(max_size=300), st.text(min_size=1, max_size=40, alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_signed_comes_back(content: bytes, kind: str) -> None:
    opened = open_envelope(sign_envelope(kind, content, KEY, OTHER), KEYS, kind)

    assert (opened.payload, opened.payload_type, opened.keys) == (content, kind, KEYS)


@given(st.binary(max_size=60), st.data())
def test_no_altered_byte_verifies(content: bytes, data: st.DataObject) -> None:
    raw = sign_envelope(KIND, content, KEY)
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != raw[at]))
    altered = raw[:at] + bytes([byte]) + raw[at + 1 :]

    try:
        opened = open_envelope(altered, KEYS, KIND)
    except VerificationFailed:
        return
    # The protocol obliges a verifier to read both alphabets of base64. An envelope that holds a single '+' or '/' can
    # so be written in two ways; it says the same in both.
    assert (raw[at : at + 1] + bytes([byte])) in {b"+-", b"/_"}
    assert opened.payload == content


@pytest.mark.parametrize("key", [KEY, OTHER], ids=["ed25519", "ecdsa-p256"])
def test_no_flipped_bit_verifies(key) -> None:
    raw = sign_envelope(KIND, b'{"verdict": "PASSED"}', key)
    for at in range(len(raw)):
        for bit in range(8):
            altered = bytearray(raw)
            altered[at] ^= 1 << bit
            with pytest.raises(VerificationFailed):
                open_envelope(bytes(altered), KEYS, KIND)


def test_both_alphabets_of_base64_are_read() -> None:
    envelope = json.loads(sign_envelope(KIND, b"\xff\xfe\xfd" * 20, KEY))
    for name in ("payload",):
        envelope[name] = envelope[name].replace("+", "-").replace("/", "_")
    sig = envelope["signatures"][0]
    sig["sig"] = sig["sig"].replace("+", "-").replace("/", "_")

    assert open_envelope(json.dumps(envelope).encode(), KEYS, KIND).payload == b"\xff\xfe\xfd" * 20


def test_an_envelope_printed_with_spaces_still_verifies() -> None:
    envelope = json.loads(sign_envelope(KIND, b"x", KEY))

    assert open_envelope(json.dumps(envelope, indent=2).encode() + b"\n", KEYS, KIND).payload == b"x"


def test_one_of_several_signatures_is_enough_and_says_whose_it_is() -> None:
    stranger = generate()
    raw = sign_envelope(KIND, b"x", stranger, OTHER)

    assert open_envelope(raw, KEYS, KIND).keys == (OTHER.public,)


def test_a_signature_without_a_key_id_is_tried_with_every_known_key() -> None:
    envelope = json.loads(sign_envelope(KIND, b"x", OTHER))
    del envelope["signatures"][0]["keyid"]

    assert open_envelope(json.dumps(envelope).encode(), KEYS, KIND).keys == (OTHER.public,)


def test_a_key_id_decides_nothing() -> None:
    """It may name a pinned key; what counts is whose signature it is."""
    envelope = json.loads(sign_envelope(KIND, b"x", generate()))
    envelope["signatures"][0]["keyid"] = KEY.public.key_id

    with pytest.raises(VerificationFailed, match="did not sign these bytes") as caught:
        open_envelope(json.dumps(envelope).encode(), KEYS, KIND)
    assert caught.value.code == "verification.signature"


def test_a_stranger_is_named() -> None:
    stranger = generate()

    with pytest.raises(VerificationFailed, match="nobody who is pinned") as caught:
        open_envelope(sign_envelope(KIND, b"x", stranger), KEYS, KIND)
    assert caught.value.code == "verification.signer"
    assert stranger.public.key_id[:15] in str(caught.value)


def test_another_type_is_refused_though_signed() -> None:
    with pytest.raises(VerificationFailed, match="where 'application/other' is expected") as caught:
        open_envelope(sign_envelope(KIND, b"x", KEY), KEYS, "application/other")
    assert caught.value.code == "verification.payload-type"


def test_no_key_no_envelope() -> None:
    with pytest.raises(UsageError):
        sign_envelope(KIND, b"x")


GOOD = json.loads(sign_envelope(KIND, b"hello", KEY))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "truncated|expecting value"),
        (b"[]", "expected `object`"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "BOM"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * (8 * 1024 * 1024 + 1), "at most 8,388,608"),
        (json.dumps({**GOOD, "extra": 1}).encode(), "unknown field"),
        (json.dumps(GOOD).encode()[:-1] + b', "payload": "aGk="}', "'payload' occurs twice"),
        (json.dumps({**GOOD, "payload": 7}).encode(), "expected `str`"),
        (json.dumps({**GOOD, "payload": "a"}).encode(), "not base64"),
        (json.dumps({**GOOD, "payload": "aGVsbG9="}).encode(), "not the one way"),
        (json.dumps({**GOOD, "payload": "aGVsbG8"}).encode(), "not base64"),
        (json.dumps({**GOOD, "payload": "aGVs bG8="}).encode(), "not base64"),
        (json.dumps({**GOOD, "payload": "é"}).encode(), "not base64"),
        (json.dumps({**GOOD, "payload": "-+-+"}).encode(), "mixes the two alphabets"),
        (json.dumps({**GOOD, "payloadType": ""}).encode(), "no payload type"),
        (json.dumps({**GOOD, "payloadType": "\ud800"}).encode(), "not as it must be"),
        (json.dumps({**GOOD, "signatures": []}).encode(), "carries no signature"),
        (json.dumps({**GOOD, "signatures": GOOD["signatures"] * 17}).encode(), "17 signatures"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "signatures"}).encode(), "missing required field"),
        (b'{"payload": NaN}', "NaN is not JSON"),
        (b'{"payload": ' + b"9" * 5000 + b"}", "not as it must be"),
        (json.dumps(GOOD).encode() + b"{}", "not as it must be"),
    ],
)
def test_what_is_not_exactly_an_envelope_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(VerificationFailed, match=says):
        read_envelope(raw)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_from_anywhere_are_refused_and_break_nothing(raw: bytes) -> None:
    with pytest.raises(VerificationFailed):
        open_envelope(raw, KEYS, KIND)
