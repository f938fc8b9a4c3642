from ._mpdescriptor import StreamPort

class ConsolePort(StreamPort):
    def __init__(self) -> None: ...
