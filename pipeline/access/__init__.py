"""Who may see what: identities, roles and scopes, and the one function that decides.

`decision` is pure and serves the API, reports and the page alike; what stands behind identities
(keys, grants, tokens of an issuer, a proxy's header) implements the protocols of `identity`.
"""
