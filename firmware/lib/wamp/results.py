"""What a call gives, or a handler returns, beyond one plain value; loaded with the first."""


class Result:
    """Several results, or results with keywords, of a call; what a handler returns for that.

    args: tuple or list. kwargs: dict. options: what else a handler has to say of its answer, such
    as {"ppt_scheme": "x_own"} with octets as the one argument. details: the router's, of a result
    that is an opaque payload.
    """

    options = details = None

    def __init__(self, *args, **kwargs):
        self.args = args
        self.kwargs = kwargs

    def __repr__(self):
        return "Result(*%r, **%r)" % (self.args, self.kwargs)

    def __eq__(self, other):
        return (
            isinstance(other, Result)
            and tuple(self.args) == tuple(other.args)
            and self.kwargs == other.kwargs
        )
