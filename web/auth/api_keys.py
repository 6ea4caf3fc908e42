"""API keys in ``X-API-Key``: plain, encrypted or hashed in the platform's table."""

import hmac
import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Request

from data.platform.access import Viewer
from data.platform.identity import ApiKey, Identity
from data.rules.errors import UnauthenticatedError
from settings import Settings

HEADER: Final = "X-API-Key"

# iv:ciphertext:tag in hex, as the platform writes it with AES-256-GCM.
_ENCRYPTED: Final = re.compile(r"([0-9a-f]{32}):((?:[0-9a-f]{2})+):([0-9a-f]{32})")
# Keys of this form exist only where the platform encrypts; they match no plain row.
_ENCRYPTED_PREFIX: Final = "sk-sim-"
_REMEMBERED: Final = 10_000


class ApiKeySignIn:
    """Believes a key that the platform would believe, for what it is good for.

    What a ciphertext means is remembered, whether the key may be used is asked anew each time.
    """

    def __init__(self, identity: Identity, settings: Settings) -> None:
        self._identity = identity
        secret = settings.api_encryption_key
        self._cipher = AESGCM(bytes.fromhex(secret)) if secret else None
        self._decrypted = lru_cache(maxsize=_REMEMBERED)(self._decrypt)

    def __call__(self, request: Request) -> Viewer | None:
        """Return whom a key speaks for; None where there is none, an error where it is wrong."""
        presented = request.headers.get(HEADER)
        if presented is None:
            return None
        key = self._find(presented)
        if key is None:
            raise UnauthenticatedError(
                f"{HEADER} holds no key that may be used. Check it, or make a new one in the "
                "platform's settings.",
                code="api_key_invalid",
            )
        if key.workspace_id:
            return Viewer(None, workspace_id=key.workspace_id)
        return Viewer(key.user_id, by_personal_key=True)

    def _find(self, presented: str) -> ApiKey | None:
        if self._identity.revision().key_hashes:
            return self._identity.key_of_hash(sha256(presented.encode()).hexdigest())
        found = None
        for key in self._identity.all_keys():
            # Every key is compared, so that time tells nothing of which one matched.
            if self._matches(presented, key.stored):
                found = key
        return found

    def _matches(self, presented: str, stored: str) -> bool:
        # Ciphertexts have colons, keys have none; a damaged ciphertext is not a key.
        encrypted = ":" in stored
        if presented.startswith(_ENCRYPTED_PREFIX) and not encrypted:
            return False
        plain = self._decrypted(stored) if encrypted else stored
        return bool(plain and hmac.compare_digest(plain.encode(), presented.encode()))

    def _decrypt(self, stored: str) -> str | None:
        found = _ENCRYPTED.fullmatch(stored)
        if self._cipher is None or found is None:
            return None
        iv, text, tag = (bytes.fromhex(part) for part in found.groups())
        try:
            return self._cipher.decrypt(iv, text + tag, None).decode()
        except (InvalidTag, UnicodeDecodeError):
            return None
