"""Who somebody is: tokens of an issuer and a proxy's header, with all that is wrong with them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from pipeline.access.decision import Refusal
from pipeline.access.doors import ProxyDoor
from pipeline.access.identity import Door, Presented
from pipeline.access.issuer import FRESH_SECONDS, KEPT_SECONDS, LONGEST_BYTES, Issuer
from pipeline.access.known import Known
from pipeline.access.roles import Caller, Grant, Role
from pipeline.access.tokens import TokenDoor

ADA = Caller("ada", (Grant("acme", Role.VIEWER),))
FIRST, SECOND = (ECKey.generate_key("P-256", {"kid": kid}) for kid in ("first", "second"))
STRANGERS = ECKey.generate_key("P-256", {"kid": "first"})


class _Known:
    """Everybody is granted what Ada is."""

    def person(self, user: str) -> Caller:
        return Caller(user, ADA.grants)


KNOWN = cast("Known", _Known())


class Provider:
    """An issuer on this machine, and the clock of who asks it."""

    def __init__(self) -> None:
        self.url = ""
        self.now = 1000.0
        self.keys: list[Key] = [FIRST]
        self.asked = 0
        self.answer: Callable[[], web.Response] | None = None
        self.document: dict[str, Any] = {}

    async def configuration(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document}
        )

    async def jwks(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return self.answer() if self.answer is not None else await self.moved(_request)

    async def moved(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    def door(self, claim: str = "sub") -> TokenDoor:
        return TokenDoor(KNOWN, Issuer(self.url, lambda: self.now), "usage", claim)

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.url, "aud": "usage", "exp": now + 60, "sub": "ada"} | more

    def token(self, key: Key = FIRST, header: dict[str, Any] | None = None, **claims: Any) -> str:
        head = {"alg": "ES256", "kid": key.kid} | (header or {})
        kept = {name: value for name, value in self.claims(**claims).items() if value is not None}
        return jwt.encode(head, kept, key, algorithms=[head["alg"]])


def with_provider(scenario: Callable[[Provider], Awaitable[None]]) -> None:
    async def run() -> None:
        provider = Provider()
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", provider.configuration)
        app.router.add_get("/keys", provider.jwks)
        app.router.add_get("/moved", provider.moved)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            await scenario(provider)
        finally:
            await runner.cleanup()

    asyncio.run(asyncio.wait_for(run(), 30))


def bearing(text: str) -> Presented:
    return Presented((("authorization", f"Bearer {text}"),), "127.0.0.1")


async def refused(door: Door, text: str, status: int = 401) -> str:
    found = await door.identify(bearing(text))
    assert isinstance(found, Refusal), found
    assert found.status == status
    return found.sentence


class TestTokens:
    def test_a_valid_one_is_its_user(self) -> None:
        async def scenario(provider: Provider) -> None:
            door = provider.door()
            assert await door.identify(bearing(provider.token())) == ADA
            assert await door.identify(bearing(provider.token(aud=["x", "usage"]))) == ADA
            assert await provider.door("email").identify(
                bearing(provider.token(email="a@b", email_verified=True))
            ) == Caller("a@b", ADA.grants)
            assert provider.asked == 2  # one for each door: the keys are kept

        with_provider(scenario)

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": None},
            {"exp": 1_000_000_000},
            {"exp": "never"},
            {"iss": None},
            {"iss": "https://elsewhere"},
            {"aud": None},
            {"aud": "another"},
            {"aud": []},
            {"nbf": 10_000_000_000},
            {"sub": None},
            {"sub": 7},
            {"sub": ""},
            {"sub": "key:0123"},
            {"sub": "a\nb"},
        ],
    )
    def test_wrong_claims(self, claims: dict[str, Any]) -> None:
        async def scenario(provider: Provider) -> None:
            await refused(provider.door(), provider.token(**claims))

        with_provider(scenario)

    def test_wrong_signatures_and_algorithms(self) -> None:
        async def scenario(provider: Provider) -> None:
            door = provider.door()
            good = provider.token()
            head, body, signature = good.split(".")
            public = FIRST.as_dict(private=False)
            shared = OctKey.import_key(json.dumps(public).encode(), {"kid": "first"})
            none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"first"}').rstrip(b"=").decode()
            for bad in (
                provider.token(STRANGERS),
                provider.token(SECOND),
                provider.token(shared, {"alg": "HS256", "kid": "first"}),
                f"{none}.{body}.",
                f"{none}.{body}.{signature}",
                f"{head}.{body}.",
                f"{head}.{body[:-2]}.{signature}",
                f"{head}..{signature}",
                "..",
                "a.b.c",
                f"{head}.{body}.{signature[:-4]}AAAA",
            ):
                await refused(door, bad)
            assert await door.identify(bearing(good)) == ADA

        with_provider(scenario)

    def test_what_a_token_says_is_fetched_from_nowhere(self) -> None:
        async def scenario(provider: Provider) -> None:
            asked = 0

            async def elsewhere(_request: web.Request) -> web.Response:
                nonlocal asked
                asked += 1
                return web.json_response({"keys": [STRANGERS.as_dict(private=False)]})

            app = web.Application()
            app.router.add_get("/{path:.*}", elsewhere)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            there = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
            door = provider.door()
            for header in ({"jku": there}, {"x5u": there}, {"kid": there}):
                await refused(door, provider.token(STRANGERS, header))
            await refused(door, provider.token(STRANGERS, iss=there))
            await refused(
                door, provider.token(STRANGERS, {"jwk": STRANGERS.as_dict(private=False)})
            )
            await runner.cleanup()
            assert (asked, provider.asked) == (0, 1)

        with_provider(scenario)

    def test_a_rotated_key_is_taken_and_a_removed_one_ends_within_seconds(self) -> None:
        async def scenario(provider: Provider) -> None:
            doors = [provider.door() for _ in range(3)]  # as three processes have them
            old, new = provider.token(), provider.token(SECOND)
            for door in doors:
                assert await door.identify(bearing(old)) == ADA
            provider.keys = [SECOND]
            provider.now += FRESH_SECONDS
            for door in doors:
                assert await door.identify(bearing(new)) == ADA
                await refused(door, old)

        with_provider(scenario)

    def test_many_at_once_fetch_once(self) -> None:
        async def scenario(provider: Provider) -> None:
            door, token = provider.door(), provider.token()
            found = await asyncio.gather(*(door.identify(bearing(token)) for _ in range(50)))
            assert set(found) == {ADA}
            for _ in range(5):
                await refused(door, provider.token(SECOND))
            assert provider.asked == 1

        with_provider(scenario)

    def test_an_issuer_that_is_away_is_trusted_for_a_while(self) -> None:
        async def scenario(provider: Provider) -> None:
            door, token = provider.door(), provider.token()
            provider.answer = lambda: web.Response(status=500)
            await refused(door, token, 503)
            provider.answer, provider.now = None, provider.now + FRESH_SECONDS
            assert await door.identify(bearing(token)) == ADA
            provider.answer = lambda: web.Response(status=500)
            provider.now += KEPT_SECONDS
            assert await door.identify(bearing(token)) == ADA
            provider.now += FRESH_SECONDS
            await refused(door, token, 503)

        with_provider(scenario)

    @pytest.mark.parametrize(
        "answer",
        [
            lambda: web.Response(body=b"x" * (LONGEST_BYTES + 1)),
            lambda: web.Response(text="[]"),
            lambda: web.Response(text="{"),
            lambda: web.json_response({"keys": 7}),
            lambda: web.json_response({"keys": [7, {}, {"kty": "RSA"}, {"kty": "EC", "x": "1"}]}),
            lambda: web.json_response({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "first"}]}),
            lambda: web.Response(status=302, headers={"Location": "/moved"}),
        ],
    )
    def test_keys_that_are_none(self, answer: Callable[[], web.Response]) -> None:
        async def scenario(provider: Provider) -> None:
            provider.answer = answer
            await refused(provider.door(), provider.token(), 503)

        with_provider(scenario)

    @pytest.mark.parametrize(
        "document",
        [
            {"issuer": "https://elsewhere"},
            {"jwks_uri": "http://192.0.2.1/keys"},
            {"jwks_uri": "file:///etc/passwd"},
            {"jwks_uri": 7},
        ],
    )
    def test_a_document_that_is_another_issuers(self, document: dict[str, Any]) -> None:
        async def scenario(provider: Provider) -> None:
            provider.document = document
            await refused(provider.door(), provider.token(), 503)
            assert provider.asked == 0

        with_provider(scenario)

    def test_an_address_must_be_verified_to_be_a_user(self) -> None:
        async def scenario(provider: Provider) -> None:
            door = provider.door("email")
            for more in ({}, {"email_verified": False}, {"email_verified": "true"}):
                await refused(door, provider.token(email="a@b", **more))

        with_provider(scenario)

    def test_rsa_keys_sign_too(self) -> None:
        key = RSAKey.generate_key(2048, {"kid": "r"})

        async def scenario(provider: Provider) -> None:
            provider.keys = [key]
            for algorithm in ("RS256", "PS256"):
                token = provider.token(key, {"alg": algorithm})
                assert await provider.door().identify(bearing(token)) == ADA

        with_provider(scenario)

    @pytest.mark.parametrize("text", ["usage_0_1", "a.b", "", "a.b.c.d"])
    def test_what_is_no_token_is_left_to_other_doors(self, text: str) -> None:
        async def scenario(provider: Provider) -> None:
            assert await provider.door().identify(bearing(text)) is None
            assert await provider.door().identify(Presented((), "")) is None
            assert provider.asked == 0

        with_provider(scenario)


HEADER = "x-forwarded-user"
PROXY = ProxyDoor(KNOWN, "X-Forwarded-User", ("10.1.0.0/16", "192.0.2.7", "fd00::/8"))


def by_proxy(peer: str, *users: str) -> Caller | Refusal | None:
    return asyncio.run(PROXY.identify(Presented(tuple((HEADER, user) for user in users), peer)))


class TestProxy:
    @pytest.mark.parametrize(
        "peer", ["10.1.2.3", "192.0.2.7", "fd00::1", "::ffff:10.1.2.3", "fd00::1%eth0"]
    )
    def test_a_listed_one_is_believed(self, peer: str) -> None:
        assert by_proxy(peer, "ada") == ADA

    @pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.1", "192.0.2.70", "::1", "", "unix:"])
    def test_nobody_else_is(self, peer: str) -> None:
        found = by_proxy(peer, "ada")
        assert isinstance(found, Refusal)
        assert found.status == 401

    def test_without_the_header_nobody_is_named(self) -> None:
        assert by_proxy("10.1.2.3") is None

    @pytest.mark.parametrize("users", [("ada", "bob"), ("",), ("key:0",), ("a\x00b",), (" ",)])
    def test_what_is_no_user(self, users: tuple[str, ...]) -> None:
        assert isinstance(by_proxy("10.1.2.3", *users), Refusal)
