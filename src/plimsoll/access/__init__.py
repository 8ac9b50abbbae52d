"""Who may ask what of a running system: tokens of machines, their scopes, their expiry."""

from plimsoll.access.tokens import Identity, Scope, Token, Tokens, new_token, revoke_token, tokens_of

__all__ = ["Identity", "Scope", "Token", "Tokens", "new_token", "revoke_token", "tokens_of"]
