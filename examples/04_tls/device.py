"""Over TLS, as a board does it: the router's certificate is checked against the one in
/ca.der (`openssl x509 -in router.pem -outform der -out ca.der`; not every board reads PEM).

Over Wi-Fi the default application does all of this by configuration (`microwamp deploy PORT --wifi
NAME --url rss://HOST:8443 --ca FILE`): it connects, sets the clock, without which no certificate
is valid, and joins.
"""

import asyncio
import ssl
import time

import wamp

try:
    from settings import CA, URL
except ImportError:
    CA, URL = "/ca.der", "rss://router.example.com:8443"


def context():
    """Trusts one certificate and nothing else."""
    with open(CA, "rb") as file:
        certificate = file.read()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=certificate)
    return made


async def main():
    if time.gmtime()[0] < 2025:
        print("the clock is not set: no certificate would be valid")
        return
    async with wamp.Client(URL, log=print, ssl=context()) as client:
        print("channel", client.transport_details.channel_typeid)
        await client.publish("com.example.hello", "over TLS", acknowledge=True)
        print("published")
        await client.ended()


asyncio.run(main())
