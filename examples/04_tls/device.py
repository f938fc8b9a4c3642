"""Over TLS, over Wi-Fi: the router's certificate is checked against the one in /ca.der
(`openssl x509 -in router.pem -outform der -out ca.der`; not every board reads PEM).

The Wi-Fi layer joins the access point before each connection, and sets the clock, without which no
certificate is valid. The default application does all of this by configuration: `microwamp deploy
PORT --wifi NAME --url rss://HOST:8443 --ca FILE`.
"""

import asyncio
import ssl
import time

import wamp

try:
    from settings import CA, URL, WIFI
except ImportError:
    CA, URL = "/ca.der", "rss://router.example.com:8443"
    WIFI = "name", "password"  # None: the network is there already


def context():
    """Trusts one certificate and nothing else."""
    with open(CA, "rb") as file:
        certificate = file.read()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=certificate)
    return made


def network():
    """What the client awaits before each connection."""
    if WIFI is None:
        return None
    from wamp.wifi import Wifi

    return Wifi(*WIFI).up


async def main():
    async with wamp.Client(URL, log=print, ssl=context(), network=network()) as client:
        print("in", time.gmtime()[0], "over", client.transport_details.channel_typeid)
        await client.publish("com.example.hello", "over TLS", acknowledge=True)
        print("published")
        await client.ended()


asyncio.run(main())
