"""Encryption of message text and quarantine payloads; the key lives outside the database (DESIGN 4.2)."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kefu.settings import Settings

_NONCE_BYTES = 12


class Vault:
    """Encrypts and decrypts with AES-256-GCM; the row's identity is authenticated with the text."""

    def __init__(self, settings: Settings) -> None:
        self._key = bytes.fromhex(settings.kefu_text_key.get_secret_value())
        self._cipher = AESGCM(self._key)

    def encrypt(self, text: str, identity: str) -> bytes:
        """Returns nonce and ciphertext of `text`, bound to `identity`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), identity.encode())

    def decrypt(self, stored: bytes, identity: str) -> str:
        """Returns the text. Raises cryptography.exceptions.InvalidTag when it was moved or changed."""
        return self._cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], identity.encode()).decode()

    def seal(self, payload: dict[str, Any], identity: str) -> tuple[bytes, bytes]:
        """Returns (keyed digest, ciphertext) of a quarantined record; the digest recognises it when read again."""
        text = json.dumps(payload, ensure_ascii=False, sort_keys=True, default=str)
        digest = hmac.new(self._key, f"{identity}\n{text}".encode(), hashlib.sha256).digest()
        return digest, self.encrypt(text, identity)
