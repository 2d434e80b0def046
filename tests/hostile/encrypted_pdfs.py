"""PDFs with passwords: the standard handler at its oldest (RC4, 40 bits), which every reader knows.

PDF 32000-1:2008, 7.6.3: algorithms 1 to 4.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from tests.hostile.hostile_file import HostileFile
from tests.hostile.raw_pdf import body_of, cross_references, good_page, stream, text, write_pdf

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_PERMISSIONS = -64
_IDENTITY = b"hostile-document"
_ENCRYPTED_WORD = "Secret"


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    swap = 0
    for index in range(256):
        swap = (swap + state[index] + key[index % len(key)]) % 256
        state[index], state[swap] = state[swap], state[index]
    first = second = 0
    result = bytearray()
    for byte in data:
        first = (first + 1) % 256
        second = (second + state[first]) % 256
        state[first], state[second] = state[second], state[first]
        result.append(byte ^ state[(state[first] + state[second]) % 256])
    return bytes(result)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def encrypt(user_password: bytes, owner_password: bytes) -> bytes:
    """A PDF of one page; readers take the user password or the owner's."""
    owner_key = _md5((owner_password + _PADDING)[:32])[:5]
    owner = _rc4(owner_key, (user_password + _PADDING)[:32])
    permissions = _PERMISSIONS.to_bytes(4, "little", signed=True)
    key = _md5((user_password + _PADDING)[:32] + owner + permissions + _IDENTITY)[:5]
    user = _rc4(key, _PADDING)
    content_key = _md5(key + (4).to_bytes(3, "little") + bytes(2))[:10]
    objects = good_page(_ENCRYPTED_WORD) | {4: stream(_rc4(content_key, text(_ENCRYPTED_WORD)))}
    return write_pdf(objects, _trailer(f"/Filter /Standard /V 1 /R 2 /P {_PERMISSIONS}", owner, user))


def _trailer(handler: str, owner: bytes, user: bytes) -> str:
    identity = _IDENTITY.hex()
    return f"/Encrypt << {handler} /O <{owner.hex()}> /U <{user.hex()}> >> /ID [<{identity}> <{identity}>]"


def _with_handler(handler: str) -> bytes:
    return write_pdf(good_page(_ENCRYPTED_WORD), _trailer(handler, bytes(32), bytes(32)))


def _without_identity() -> bytes:
    return re.sub(rb"/ID \[<\w+> <\w+>\]", b"", encrypt(b"", b"owner"))


def _dictionary_missing() -> bytes:
    body, offsets = body_of(good_page(_ENCRYPTED_WORD))
    return body + cross_references(offsets, len(body), "/Encrypt 77 0 R /Size 6 /Root 1 0 R")


def _refused(name: str, make: Callable[[], bytes], why: str) -> HostileFile:
    return HostileFile(name, make, why, document_error="encrypted")


def encrypted_files() -> list[HostileFile]:
    """What is encrypted, or says so."""
    return [
        _refused("user-password.pdf", lambda: encrypt(b"open", b"owner"), "wants a password before it can be read"),
        HostileFile(
            "owner-password-only.pdf",
            lambda: encrypt(b"", b"owner"),
            "opens without a password; only its owner may print it",
            pages=1,
            words={0: _ENCRYPTED_WORD},
        ),
        _refused(
            "certificate-encryption.pdf",
            lambda: _with_handler("/Filter /Adobe.PubSec /SubFilter /adbe.pkcs7.s4 /V 1"),
            "encrypted for the holders of certificates",
        ),
        _refused(
            "unknown-encryption.pdf",
            lambda: _with_handler(f"/Filter /Standard /V 9 /R 11 /P {_PERMISSIONS}"),
            "a version of the standard handler that does not exist yet",
        ),
        _refused(
            "absurd-key-length.pdf",
            lambda: _with_handler(f"/Filter /Standard /V 2 /R 3 /Length 2147483640 /P {_PERMISSIONS}"),
            "a key of 256 MB: a buffer of that size, or one overrun",
        ),
        HostileFile(
            "encrypted-without-identity.pdf",
            _without_identity,
            "the file's identity, part of the key, is gone: a wrong key gives noise for text",
            document_error="encrypted",
        ),
        HostileFile(
            "encryption-dictionary-missing.pdf",
            _dictionary_missing,
            "the trailer points to an encryption dictionary that is not there; the content is plain",
            pages=1,
            document_may_fail=frozenset({"encrypted", "unreadable"}),
            words={0: _ENCRYPTED_WORD},
        ),
    ]
