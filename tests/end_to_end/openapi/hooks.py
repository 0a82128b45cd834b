"""What schemathesis needs beside the document: names below `localhost` are this machine, and signatures of IAM."""

import datetime
import hashlib
import hmac
import os
import socket
from urllib.parse import parse_qsl, quote, urlsplit

import requests
import schemathesis

resolved = socket.getaddrinfo


def on_this_machine(host, *rest, **more):
    """Every name below `localhost` is this host, as browsers have it; nothing else is asked for."""
    name = host.decode() if isinstance(host, bytes) else host
    if name == "localhost" or name.endswith(".localhost"):
        host = "127.0.0.1"
    elif name != "127.0.0.1":
        raise OSError(f"{name} is another machine")
    return resolved(host, *rest, **more)


socket.getaddrinfo = on_this_machine


class Signature(requests.auth.AuthBase):
    """Signature Version 4, for `execute-api`: the document says that it is wanted, and OpenAPI can't say how it is made."""

    def __call__(self, request):
        key, secret, region = (os.environ[name] for name in ("KEY_ID", "KEY", "REGION"))
        url = urlsplit(request.url)
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{region}/execute-api/aws4_request"
        pairs = sorted((quote(k, "-_.~"), quote(v, "-_.~")) for k, v in parse_qsl(url.query, keep_blank_values=True))
        canonical = "\n".join([
            request.method, quote(url.path, "/-_.~"), "&".join(f"{k}={v}" for k, v in pairs),
            f"host:{url.netloc}", f"x-amz-date:{now}", "", "host;x-amz-date", hashlib.sha256(body).hexdigest(),
        ])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signing = f"AWS4{secret}".encode()
        for part in (*scope.split("/"), text):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        request.headers["X-Amz-Date"] = now
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signing.hex()}"
        )
        return request


schemathesis.auth.set_from_requests(Signature()).apply_to(method="POST")
