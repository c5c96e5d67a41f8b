"""The door of people who come with a token of an OpenID Connect issuer (RFC 7519)."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pipeline.access import doors
from pipeline.access.decision import Reason, Refusal
from pipeline.access.identity import Presented
from pipeline.access.issuer import Issuer, Unavailable
from pipeline.access.known import Known
from pipeline.access.roles import Caller

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
)
"""All are of public keys. A token's own word about its algorithm counts only within these."""

LEEWAY_SECONDS = 5
_DOTS = 2
_EMAIL = "email"


class TokenDoor:
    """Tokens in ``Authorization: Bearer``; what their user may see is in ``_access``."""

    def __init__(self, known: Known, issuer: Issuer, audience: str, user_claim: str) -> None:
        self._known = known
        self._issuer = issuer
        self._user_claim = user_claim
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer.url},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    async def identify(self, presented: Presented) -> Caller | Refusal | None:
        """Whom the issuer vouches for."""
        text = doors.bearer(presented)
        if not isinstance(text, str) or text.count(".") != _DOTS:
            return text if isinstance(text, Refusal) else None
        try:
            claims = self._checked(text, await self._issuer.keys())
        except Unavailable:
            sentence = "the issuer of tokens does not answer at the moment; try again"
            return Refusal(503, Reason.STALE, sentence)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            why = getattr(error, "error", "") or "it cannot be read"
            return doors.refused(f"the token is not valid ({why}); get a new one")
        user = claims.get(self._user_claim)
        if not isinstance(user, str):
            return doors.refused(f"the token has no claim {self._user_claim!r} with a text")
        if self._user_claim == _EMAIL and claims.get("email_verified") is not True:
            return doors.refused("the token's address was not verified by its issuer")
        return doors.person(self._known, user)

    def _checked(self, text: str, keys: KeySet) -> dict[str, Any]:
        token = jwt.decode(text, keys, algorithms=ALGORITHMS)
        self._claims.validate(token.claims)
        return token.claims
