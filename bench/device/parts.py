"""What is measured of the library's memory: stages of imports, and optional parts.

Modules that those named here import at their top come with them.
"""

from __future__ import annotations

#: What an application imports, by stage; each module's own imports come before it. The viper form
#: of SHA-512 is imported by wamp.sha512 from within a function.
STAGES: dict[str, tuple[str, ...]] = {
    "asyncio": (),
    "tcp": ("client", "_mpstream", "auth", "cbor"),
    "link": ("serial", "_mpports"),
    "cryptosign": ("keyfile",),
    "handlers": ("declarations",),  # with a program's first subscription or procedure
    "signing": ("_sha512_viper", "ed25519"),  # while it logs in: loaded, and dropped again
}

#: What a program takes beside the stages "tcp" and "handlers", each alone.
FEATURES: dict[str, tuple[str, ...]] = {
    "progress": ("progress",),
    "meta": ("meta",),
    "outbox": ("outbox",),
    "passthru": ("passthru",),
    "cryptobox": ("cryptobox", "_salsa_viper"),
    "watchdog": ("watchdog",),
    "wifi": ("wifi", "_clock"),
    "tls": ("_mptls",),
    "link": ("serial", "_mpports"),
    "console": ("serial", "_mpconsole"),
    "anonymous": ("authanonymous",),
    "wampcra": ("authcra",),
    "scram": ("authscram", "logins"),
    "crossbarscram": ("authcrossbarscram", "logins"),
    "totp": ("authtotp", "logins", "sha1"),
    "cryptosign": ("keyfile", "_signing"),
    "cryptosign.login": ("ed25519", "_sha512_viper"),
    "cryptosign.router": ("ed25519", "_sha512_viper", "_ed25519_verify"),
    "keys": ("keys",),
    "accelerator": ("_accelerator",),
}

#: Modules without a figure: those of hosts; what other chips than the RP2040 have in place of
#: something; what is there for moments only, while a client begins or ends, while
#: its line has losses, while an error is put into words.
ELSEWHERE = frozenset(
    """
    _cpython _posixport _streams linkacceptor tables uris
    _ed25519_int _ed25519_copies _sha512_int
    _opening _urls _mpsockets joining handshake rawsocket
    serialcontrol linkcontrol linkframe linkloss
    seldom words failures _explain _declared _rejoin cborrare cbordouble
    """.split()
)
