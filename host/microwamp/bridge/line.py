"""The bridge's end of the link."""

from typing import Final

from wamp.linkacceptor import Acceptor

# Octets towards us that the link may have under way: the most that credits can say.
WINDOW: Final = 16320
SEND_BUFFER: Final = 16384


class Line(Acceptor):
    """An acceptor that remembers what it told a device that it refused."""

    refusal = ""

    def __init__(self, lost_ms: int) -> None:
        super().__init__(WINDOW, lost_ms=lost_ms, send_buffer=SEND_BUFFER)

    def refuse(self, code: int, text: str) -> None:
        super().refuse(code, text)
        self.refusal = text
