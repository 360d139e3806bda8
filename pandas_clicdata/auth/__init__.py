"""Ways to sign in, and the life of a token: renewed ahead of its end, by one thread for all."""

from pandas_clicdata.auth.bearer import Bearer
from pandas_clicdata.auth.grants import AuthorizationCode, ClientCredentials, authorization_url
from pandas_clicdata.auth.replies import Issued, read_token
from pandas_clicdata.auth.tokenfile import TokenFile
from pandas_clicdata.auth.ways import Authenticator, FixedHeaders, LookedUpLater, account_label, authenticator

__all__ = [
    "Authenticator",
    "AuthorizationCode",
    "Bearer",
    "ClientCredentials",
    "FixedHeaders",
    "Issued",
    "LookedUpLater",
    "TokenFile",
    "account_label",
    "authenticator",
    "authorization_url",
    "read_token",
]
