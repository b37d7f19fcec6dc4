"""Who may do what: each role may do what those before it may."""

from typing import NamedTuple

from verified_alloc.station.parts import TOKEN_ROLES as ROLES

READ, DEMAND, OPERATE, ADMIN = ROLES
"""See everything; tell demands, acknowledgements and holds of some guns; of every gun, and take
out of service, limit and clear; play faults on a simulated cabinet."""


class Grant(NamedTuple):
    """What a caller has shown."""

    name: str
    """Of the token, for logs."""
    role: str
    guns: frozenset[int] = frozenset()
    """Those that a `demand` token speaks for."""

    def covers(self, role: str, gun: int | None = None) -> bool:
        """It may do what that role may, to that gun."""
        if role == self.role == DEMAND:
            return gun in self.guns
        return ROLES.index(self.role) >= ROLES.index(role)


class Token(NamedTuple):
    """Who knows the secret has the grant."""

    secret: str
    grant: Grant


ANYBODY = Grant("anybody", ADMIN)
"""Where the station has no token: on loopback."""
NO_TOKEN = Grant("no token", READ)
"""Elsewhere: the page, health, and a stop from this machine."""
