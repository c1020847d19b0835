"""The `auth` table of a source: how the source authenticates."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from badge.installation import install_command
from badge.ports import Clock
from badge.settings import HttpUrl
from badge.sources.http import aws_signature
from badge.sources.http.authentication import Authentication, FixedHeaders, TokenLogIn, basic, header, in_header
from badge.sources.http.aws_signature import AwsSignature
from badge.sources.http.transport import HttpTransport
from badge.sources.recipes.expression import Expression
from badge.sources.recipes.log_ins import RequestLogIn, UrBackupLogIn, in_form
from badge.sources.recipes.recipe import JmesPath, Path
from badge.sources.recipes.table import Table
from badge.sources.recipes.template import Template, texts_in
from badge.sources.secrets import Secret, SecretReference

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
# A header's prefix or a user name: one line of printable ASCII.
Plain = Annotated[str, Field(pattern=r"^[ -~]{0,256}$")]


NO_AUTHENTICATION = FixedHeaders()
"""For systems without authentication."""


class NoAuth(Table):
    """No authentication, to override a preset's."""

    kind: Literal["none"]

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication that this table describes; `address` is the source's URL."""
        return NO_AUTHENTICATION


class HeaderAuth(Table):
    """An API key in a header."""

    kind: Literal["header"]
    header: HeaderName
    value: SecretReference
    prefix: Plain = ""

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication that this table describes; `address` is the source's URL."""
        return header(self.header, self.value, self.prefix)


class BearerAuth(Table):
    """A token in `Authorization: Bearer`."""

    kind: Literal["bearer"]
    token: SecretReference

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication that this table describes; `address` is the source's URL."""
        return header("Authorization", self.token, "Bearer ")


class BasicAuth(Table):
    """User and password (HTTP Basic)."""

    kind: Literal["basic"]
    user: Plain
    password: SecretReference

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication that this table describes; `address` is the source's URL."""
        return basic(self.user, self.password)


def _log_in_body(body: dict[str, Any]) -> dict[str, Any]:
    if {name for text in texts_in(body) for name in Template.parse(text).placeholders} - {"user", "password"}:
        raise ValueError("may contain only the placeholders {user} and {password}")
    return body


class LogInAuth(Table):
    """A login request that is answered with a token; its body may use `{user}` and `{password}`."""

    kind: Literal["login"]
    path: Path
    encoding: Literal["json", "form"] = "json"
    body: Annotated[dict[str, Any], AfterValidator(_log_in_body)]
    user: Plain = ""
    password: SecretReference
    token: JmesPath
    lifetime: JmesPath = Expression.parse("expires_in")
    header: HeaderName = "Authorization"
    prefix: Plain = "Bearer "

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:
        """Return the authentication that this table describes; `address` is the source's URL."""
        log_in = RequestLogIn(
            url=address + self.path.text,
            body=self.body,
            is_form=self.encoding == "form",
            secrets={"user": Secret(value=self.user), "password": self.password},
            token=self.token,
            lifetime=self.lifetime,
            transport=transport,
            clock=clock,
        )
        return TokenLogIn(log_in, in_header(self.header, self.prefix), clock)


class OAuth2Auth(Table):
    """OAuth 2 client credentials (RFC 6749, section 4.4)."""

    kind: Literal["oauth2"]
    token_url: HttpUrl
    client_id: Plain
    client_secret: SecretReference
    scope: Annotated[str, Field(pattern=r"^[!-z ]{0,1024}$")] = ""

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication; it has its own transport, since the token URL may be on another host."""
        body = {"grant_type": "client_credentials", "client_id": "{user}", "client_secret": "{password}"}
        log_in = RequestLogIn(
            url=self.token_url,
            body=body | ({"scope": self.scope} if self.scope else {}),
            is_form=True,
            secrets={"user": Secret(value=self.client_id), "password": self.client_secret},
            token=Expression.parse("access_token"),
            lifetime=Expression.parse("expires_in"),
            transport=HttpTransport(ca_file=transport.ca_file),
            clock=clock,
        )
        return TokenLogIn(log_in, in_header(), clock)


class UrBackupAuth(Table):
    """UrBackup's salted login, whose session is sent as a form field."""

    kind: Literal["urbackup"]
    user: Plain
    password: SecretReference

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:
        """Return the authentication that this table describes; `address` is the source's URL."""
        log_in = UrBackupLogIn(f"{address}/x", self.user, self.password, transport, clock)
        return TokenLogIn(log_in, partial(in_form, "ses"), clock)


def _with_botocore(value: str) -> str:
    if not aws_signature.is_installed():
        raise ValueError(f"install botocore first: {install_command('aws')}")
    return value


class AwsAuth(Table):
    """AWS Signature Version 4, for the AWS service `backup` by default."""

    kind: Literal["aws"]
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$"), AfterValidator(_with_botocore)]
    service: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = "backup"
    access_key: SecretReference
    secret_key: SecretReference
    session_token: SecretReference | None = None

    def authentication(self, address: str, transport: HttpTransport, clock: Clock) -> Authentication:  # noqa: ARG002 - the signature of all kinds
        """Return the authentication that this table describes; `address` is the source's URL."""
        return AwsSignature(self.region, self.service, self.access_key, self.secret_key, self.session_token)


_Kinds = NoAuth | HeaderAuth | BearerAuth | BasicAuth | LogInAuth | OAuth2Auth | UrBackupAuth | AwsAuth
KINDS = [get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(_Kinds)]


def _with_kind(table: object) -> object:
    if isinstance(table, dict) and "kind" not in table:
        raise ValueError(f"has no kind; use {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return table


AuthTable = Annotated[_Kinds, Field(discriminator="kind"), BeforeValidator(_with_kind)]
