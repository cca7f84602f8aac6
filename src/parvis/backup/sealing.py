"""What a repository keeps is squeezed and, with a key, sealed: whoever holds the disk reads nothing and forges nothing.

AES-256-GCM with a nonce for each piece and the piece's name as associated data, so that pieces cannot be exchanged for
each other. The keys are made of the passphrase by scrypt (RFC 7914) and HKDF (RFC 5869). Names of pieces are keyed as
well: a plain digest would let anybody test whether a known file is in there.
"""

import hashlib
import hmac
import zlib
from collections.abc import Callable
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

NONCE_BYTES = 12
SALT_BYTES = 16
_PLAIN, _SQUEEZED = b"\0", b"\1"
_SQUEEZE_LEVEL = 1
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}

Namer = Callable[[bytes], str]


class Damaged(Exception):
    """It is not what was written, or the key is another one."""


class Sealing:
    """Without a passphrase pieces are only squeezed."""

    def __init__(self, passphrase: bytes = b"", salt: bytes = b"") -> None:
        self._cipher: AESGCM | None = None
        self._name_key = b""
        if passphrase:
            root = Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase)
            self._cipher = AESGCM(_derived(root, b"parvis backup content"))
            self._name_key = _derived(root, b"parvis backup names")

    def name(self, content: bytes) -> str:
        if self._name_key:
            return hmac.new(self._name_key, content, hashlib.sha256).hexdigest()
        return hashlib.sha256(content).hexdigest()

    def seal(self, name: str, content: bytes) -> bytes:
        squeezed = zlib.compress(content, _SQUEEZE_LEVEL)
        packed = _SQUEEZED + squeezed if len(squeezed) < len(content) else _PLAIN + content
        if self._cipher is None:
            return packed
        nonce = token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, packed, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes:
        """Raises Damaged."""
        packed = self._unsealed(name, sealed)
        try:
            return zlib.decompress(packed[1:]) if packed[:1] == _SQUEEZED else packed[1:]
        except zlib.error as fault:
            raise Damaged(name) from fault

    def _unsealed(self, name: str, sealed: bytes) -> bytes:
        if self._cipher is None:
            return sealed
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as fault:
            raise Damaged(name) from fault


def _derived(root: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, purpose).derive(root)
