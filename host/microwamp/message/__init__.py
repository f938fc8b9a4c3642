"""The WAMP messages as typed objects."""
