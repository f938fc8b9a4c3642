"""Certificates that are not to be trusted, and ports that do not speak what the URL says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from logins import login, trusting
from sessions import LIMIT_S, Played, Told, embedded, played

from microwamp import connect
from microwamp.exception import TransportError
from microwamp_rig.crossbar import make_certificate

# Of the certificate: the name in it, hours it is good for, whether the client trusts it; words
CERTIFICATES = {
    "expired": (
        "localhost",
        -1.0,
        True,
        "its certificate is not trusted: certificate has expired",
    ),
    "another name": ("router.example", 24.0, True, "its certificate is not trusted: "),
    "self-signed": ("localhost", 24.0, False, "its certificate is not trusted: self-signed"),
}


@asynccontextmanager
async def behind_tls(folder: Path, name: str) -> AsyncIterator[tuple[str, ssl.SSLContext | None]]:
    """A router with a certificate of CERTIFICATES: its URL, and the client's context."""
    host, hours, trusted, _ = CERTIFICATES[name]
    make_certificate(folder / "server.crt", folder / "server.key", host, hours)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.crt", folder / "server.key")

    async def play(router: Played) -> None:
        raise AssertionError("the client has sent something")

    async with played(play, serving) as url:
        yield url, trusting(folder / "server.crt") if trusted else None


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_certificates_that_are_not_trusted(name: str, tmp_path: Path) -> None:
    words = CERTIFICATES[name][3]
    async with behind_tls(tmp_path, name) as (url, context):
        for one in (url, url.replace("rss:", "wss:")):
            session = Told()
            with pytest.raises(TransportError, match=words) as caught:
                await asyncio.wait_for(connect(session, one, ssl=context), LIMIT_S)
            text = str(caught.value)
            assert text.startswith(one) and "\n" not in text and len(text) < 250
            assert session.events == [] and not session.is_connected()
            with pytest.raises(TransportError, match="never connected.*" + words):
                await login(one, ssl=context)


@pytest.mark.parametrize("scheme", ("rss", "wss"))
async def test_tls_to_a_port_without(scheme: str) -> None:
    async with embedded() as router:
        wanted = router.urls[0].replace("rs:", f"{scheme}:")
        words = f"it does not speak TLS, it seems: {scheme[:-1]}:// instead of {scheme}://"
        with pytest.raises(TransportError, match=words):
            await asyncio.wait_for(connect(Told(), wanted), LIMIT_S)


@pytest.mark.parametrize(
    ("scheme", "words"),
    (
        ("rs", "no (answer to the handshake|connection) within 0.5 s"),
        ("ws", "not receive a valid HTTP"),
    ),
)
async def test_no_tls_to_a_port_with_it(scheme: str, words: str, tmp_path: Path) -> None:
    async with behind_tls(tmp_path, "self-signed") as (url, _):
        with pytest.raises(TransportError, match=words) as caught:
            wanted = url.replace("rss:", f"{scheme}:")
            limit = 0.5 if scheme == "rs" else LIMIT_S
            await asyncio.wait_for(connect(Told(), wanted, open_timeout=limit), LIMIT_S)
        assert "\n" not in str(caught.value)
