"""Who asks: the client that holds the token, or the person for whom it asks.

A token speaks for its client, with the token's own labels. One with the scope ``act-for`` may name the person it asks
for, with those of the token's labels that the person holds. Nobody gets a label that the token has not; and a header
that does not count is refused, since whoever sent it believes that it does.
"""

from __future__ import annotations

from typing import Final

from plimsoll.access import Identity, Scope
from plimsoll.api.exchange import Exchange
from plimsoll.api.problem import HttpProblem
from plimsoll.model.principal import Principal

CLIENT: Final = "token:"  # before the name of a client: a person cannot be named so
_WHO: Final = b"plimsoll-principal"
_LABELS: Final = b"plimsoll-labels"


def principal_of(exchange: Exchange, who: Identity) -> Principal | None:
    """Who asks; None: nobody knows, where the server asks for no token.

    Raises:
        HttpProblem: 403, the token may not say for whom it asks, or does not hold a label; 400, labels without a
            person, a person without a name, or one who is named as a client.
    """
    if not exchange.has_header(_WHO) and not exchange.has_header(_LABELS):
        return Principal(f"{CLIENT}{who.name}", who.labels) if who.id else None
    person, labels = exchange.text_header(_WHO), exchange.text_header(_LABELS)
    if not who.may(Scope.ACT_FOR):
        raise HttpProblem(
            403,
            "no-access",
            f"the token '{who.name}' lacks the scope '{Scope.ACT_FOR}', so it cannot say for whom it asks",
            fix="leave Plimsoll-Principal and Plimsoll-Labels out, or use a token that has the scope",
        )
    if not person or person.startswith(CLIENT):
        said = f"a person's name does not begin with '{CLIENT}'" if person else "Plimsoll-Principal names nobody"
        raise HttpProblem(400, "request.header", said, fix="name the person in Plimsoll-Principal")
    held = frozenset(filter(None, (label.strip() for label in labels.split(","))))
    if not held <= who.labels:
        raise HttpProblem(
            403,
            "no-access",
            f"the token '{who.name}' does not hold every label in Plimsoll-Labels",
            fix="claim no label that the token has not: `plimsoll token list` names them",
        )
    return Principal(person, held)


def may_read(taken_for: str, principal: Principal | None) -> bool:
    """Whether who reads may see a decision that was taken for somebody, as far as that is about persons.

    Args:
        taken_for: who asked then, as recorded; "": nobody knew.
        principal: who reads. A client sees what its scope lets it see; a person what was taken for them.
    """
    return principal is None or principal.id.startswith(CLIENT) or principal.id == taken_for
