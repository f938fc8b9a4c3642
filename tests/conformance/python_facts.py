"""What the Python side of the API does, the same questions for microwamp and autobahn."""

from typing import Any


def facts(exception: Any, message: Any, types: Any, request: Any) -> dict[str, Any]:
    """Answers by question; the name of the exception where one raises."""

    def ident() -> Any:
        subscription = request.Subscription(5, "a.b", None, print)
        event = types.EventDetails(subscription, 1, publisher=7, publisher_authid="joe")
        return types.SessionIdent.from_eventdetails(event).marshal()

    def failed() -> Any:
        return exception.ApplicationError("a.b", "one", 2, k=3)

    publish = message.Publish(1, "a.b", args=[1])
    questions: dict[str, Any] = {
        "Error is a RuntimeError": lambda: issubclass(exception.Error, RuntimeError),
        "NotAuthorized is an Error": lambda: issubclass(exception.NotAuthorized, exception.Error),
        "InvalidUriError is a ProtocolError": lambda: issubclass(
            exception.InvalidUriError, exception.ProtocolError
        ),
        "a word that is none": lambda: message.is_valid_enc_algo("rot13"),
        "a word of one's own": lambda: type(message.is_valid_enc_algo("x_own")).__name__,
        "str of an ApplicationError": lambda: str(failed())[:20],
        "error_message": lambda: failed().error_message(),
        "args and kwargs of an error": lambda: (failed().args, failed().kwargs),
        "repr of a message": lambda: repr(publish)[:8],
        "colours in str": lambda: "\x1b" in str(publish),
        "equal messages": lambda: publish == message.Publish(1, "a.b", args=[1]),
        "the ident of a publisher": ident,
        "channels of UDP": lambda: [n for n in vars(types.TransportDetails) if "UDP" in n][:1],
        "from_fbs of Call": lambda: "from_fbs" in message.Call.__init__.__code__.co_varnames,
        "build of Publish": lambda: hasattr(message.Publish, "build"),
    }
    found = {}
    for question, answer in questions.items():
        try:
            found[question] = answer()
        except Exception as error:
            found[question] = type(error).__name__
    return found
