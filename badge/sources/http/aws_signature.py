"""AWS Signature Version 4 with botocore, an optional dependency (the extra `aws`)."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from badge.deadline import Deadline
from badge.sources.http.authentication import Signed
from badge.sources.http.messages import HttpRequest
from badge.sources.secrets import Secret


def is_installed() -> bool:
    """Whether botocore is installed."""
    return importlib.util.find_spec("botocore") is not None


@dataclass(frozen=True, slots=True)
class AwsSignature:
    """Signs each request; there is no token to renew."""

    region: str
    service: str
    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None

    def sign(self, request: HttpRequest, deadline: Deadline) -> Signed:  # noqa: ARG002 - the protocol's signature
        """Return the request with AWS headers, valid only for its exact URL and body."""
        # botocore takes 4 MB, is needed here alone, and may not be installed.
        from botocore.auth import SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        session = self.session_token.reveal() if self.session_token else None
        credentials = Credentials(self.access_key.reveal(), self.secret_key.reveal(), session)
        signed = AWSRequest(request.method, request.url, dict(request.headers), request.body or b"")
        SigV4Auth(credentials, self.service, self.region).add_auth(signed)
        return Signed(request.with_headers(dict(signed.headers.items())))

    def sign_anew(self, request: HttpRequest, refused: Signed, deadline: Deadline) -> Signed | None:  # noqa: ARG002 - the protocol's signature
        """Return None: a second signature would be refused like the first."""
        return None
