from ._mpports import Port

class ConsolePort(Port):
    def __init__(self) -> None: ...
