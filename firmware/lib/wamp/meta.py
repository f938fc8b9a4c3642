"""WAMP's meta procedures, testaments and event history, as functions of a client.

Imported where it is used: `from wamp import meta`. Ids are those of the router; each function
raises what `Client.call` raises, and ApplicationError where the router has no such procedure or
does not allow it (crossbar's default allows none of them).
"""

import asyncio

from .errors import Error
from .results import Result


class Testament:
    """An event that the router publishes when the session of a client is gone: its last will.

    A router forgets testaments with the session, so this one is left anew after each join. scope:
    "destroyed" or "detached"; options: of the publication. error: why the router did not take it.
    """

    def __init__(self, client, topic, *args, kwargs=None, scope="destroyed", **options):
        self._client = client
        self._payload = [topic, list(args), kwargs or {}]
        self._options = {"publish_options": options, "scope": scope}
        self._task = None
        self.error = None
        client._joined.append(self)
        self.up()

    def up(self):
        """The client has joined."""
        if self._client.session is not None:
            self._task = asyncio.create_task(self._add())

    async def _add(self):
        try:
            name = "wamp.session.add_testament"
            await self._client.call(name, *self._payload, kwargs=self._options)
            self.error = None
        except Error as e:
            self.error = e
            self._client._log("testament of %s: %s" % (self._payload[0], e))

    async def confirmed(self):
        """Wait for the router's answer in this session; raises why it refused."""
        if self._task is not None:
            await self._task
        if self.error is not None:
            raise self.error

    async def revoke(self):
        """Take it back. Others of the same client and scope are left anew."""
        client = self._client
        if self not in client._joined:
            return
        client._joined.remove(self)
        if client.session is None:
            return
        await client.call(
            "wamp.session.flush_testaments", kwargs={"scope": self._options["scope"]}
        )
        for other in client._joined:
            if isinstance(other, Testament) and other._options["scope"] == self._options["scope"]:
                other.up()


# -- sessions


def count_sessions(client, roles=None):
    """How many sessions the realm has; roles: only of these."""
    return client.call("wamp.session.count", *_given(roles))


def list_sessions(client, roles=None):
    """Their ids."""
    return client.call("wamp.session.list", *_given(roles))


def get_session(client, session):
    """What the router tells of a session: a dictionary (session, authid, authrole, ...)."""
    return client.call("wamp.session.get", session)


def kill_session(client, session, reason="wamp.close.killed", message=None):
    """End another session."""
    kwargs = {"reason": reason}
    if message is not None:
        kwargs["message"] = message
    return client.call("wamp.session.kill", session, kwargs=kwargs)


# -- registrations and subscriptions: `what` is "registration" or "subscription"


def list_ids(client, what):
    """A dictionary with the lists "exact", "prefix" and "wildcard" of ids."""
    return client.call("wamp.%s.list" % what)


def lookup(client, what, uri, match="exact"):
    """The id of what was declared for this URI with this matching; None if there is none."""
    options = () if match == "exact" else ({"match": match},)
    return client.call("wamp.%s.lookup" % what, uri, *options)


def match(client, what, uri):
    """What matches a URI: the id of a registration, or a list of ids of subscriptions."""
    return client.call("wamp.%s.match" % what, uri)


def get(client, what, id):
    """What the router tells of it: a dictionary (id, uri, match, created, ...)."""
    return client.call("wamp.%s.get" % what, id)


def members(client, what, id):
    """Ids of the sessions that share it: callees, or subscribers."""
    return client.call("wamp.%s.list_%s" % (what, _members(what)), id)


def count_members(client, what, id):
    """How many sessions share it."""
    return client.call("wamp.%s.count_%s" % (what, _members(what)), id)


async def events(client, subscription, **limits):
    """A list of the events of a subscription that the router kept, newest last unless `reverse`.

    subscription: a Declaration, or an id. limits: as the specification has them: limit, reverse,
    from_time, after_time, before_time, until_time, from_publication ... Each event is a dictionary
    (timestamp, subscription, publication, details, args, kwargs).
    """
    id = getattr(subscription, "id", subscription)
    found = await client.call("wamp.subscription.get_events", id, kwargs=limits)
    # Each is a result of its own in the specification; crossbar has one, a list.
    if isinstance(found, Result):
        return list(found.args)
    return [] if found is None else found if type(found) is list else [found]


def _members(what):
    return "callees" if what == "registration" else "subscribers"


def _given(value):
    return () if value is None else (value,)
