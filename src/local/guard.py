"""Runs ministack for its owner alone.

By itself ministack lets in whoever reaches its port: the keys `test`, "" and any 12 digits are an account's root,
unsigned; every `Host` is served; every web page may ask and read the answer. And it runs functions as the user. So what
comes in is looked at here first, in the same process:

* Only names of this machine are served. A page that had its own name point to 127.0.0.1 is refused by that name.
* A browser reaches an app's own addresses, as it would on the internet, and nothing else. There nothing answers but the
  app: ministack would take some paths of them for its services' own.
* Everything else wants a signature by a key that was issued here: the owner's, read from a file that only the owner can
  read, or a role's or user's made by the owner.

Started as `python -I guard.py CREDENTIALS_FILE`, with ministack's settings in the environment.
"""

import asyncio
import calendar
import hashlib
import hmac
import json
import logging
import os
import re
import shutil
import sys
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

os.umask(0o077)
CREDENTIALS = sys.argv[1]
with open(CREDENTIALS, encoding="utf-8") as file:
    _owner = json.load(file)
KEY, SECRET = _owner["accessKeyId"], _owner["secretAccessKey"]
ACCOUNT = os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000")
del sys.argv[1:]  # ministack reads the rest of the command line

from hypercorn.protocol.h11 import H11Protocol  # noqa: E402
from ministack import app as server  # noqa: E402
from ministack.core import iam_actions, lambda_runtime, persistence, sigv4  # noqa: E402
from ministack.core import iam_evaluator as iam  # noqa: E402
from ministack.core.responses import _account_from_sts_session  # noqa: E402
from ministack.services import lambda_svc, s3, sts  # noqa: E402
from ministack.services.cloudformation import provisioners  # noqa: E402


# ---- who may come in ----

# What a client on this machine calls it. An SDK is given 127.0.0.1, a browser a name below `localhost`.
LOOPBACK = re.compile(r"(?:127\.0\.0\.1|(?:[a-z0-9-]+\.)*localhost)(?::[0-9]{1,5})?")

# Distributions, APIs and function URLs: what is deployed here for visitors. Only names that the emulator gives out: others
# it takes for its services' own, `iot.cloudfront.localhost` for a message broker that is open to all.
APP = re.compile(
    r"(?:d[a-z0-9]{13}\.cloudfront"
    r"|[a-f0-9]{8}\.execute-api"
    r"|(?:[a-z0-9]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\.lambda-url\.[a-z0-9-]+"
    r")\.localhost(?::[0-9]{1,5})?"
)

# Where a connection may stay open, as a WebSocket. Whose it is, the API asks.
WEBSOCKET_API = re.compile(r"[a-f0-9]{8}\.execute-api\.localhost(?::[0-9]{1,5})?")

# Of an app's paths the emulator keeps these for itself.
EMULATOR_PATH = re.compile(r"/_(?:ministack|localstack|aws|alb)(?:/.*)?", re.DOTALL)

# The emulator's paths for which no key is asked: whether it runs, and answers of custom resources and wait conditions,
# whose addresses nobody can guess.
OPEN = {
    "GET": re.compile(r"/_ministack/(?:health|ready)"),
    "PUT": re.compile(r"/_ministack/cfn-(?:signal|response)/[^/]{16,}"),
}

# An API by a path of the emulator, for what can't choose a `Host`; and the hosts that are none that was chosen.
API_BY_PATH = re.compile(r"/restapis/[a-f0-9]{8}/[^/]+/_user_request_(?:/.*)?", re.DOTALL)
ENDPOINT = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")

# What the tokens of a user pool are checked with.
TOKEN_KEYS = re.compile(r"/[a-z0-9-]+_[A-Za-z0-9]+/\.well-known/(?:jwks\.json|openid-configuration)")

# What ministack serves before it looks for a bucket, at a bucket's address, too.
BEFORE_S3 = re.compile(
    r"/(?:iceberg|v20180820/|v2(?:/|\Z)"
    r"|(?:Execute|(?:Begin|Commit|Rollback)Transaction|BatchExecute|health|log(?:in|out))\Z).*",
    re.DOTALL,
)

# Services some of whose operations AWS answers unsigned: signing up and in.
UNSIGNED = {"AWSCognitoIdentityProviderService": "cognito-idp", "AWSCognitoIdentityService": "cognito-identity"}

# Where functions' and layers' code is served, by an address that is signed.
CODE = re.compile(r"/_ministack/lambda-(?:code|layers)/.+")
CODE_LIFETIME = 600  # seconds, as the address says

# Query parameters by which a request says who signed it, in lower case.
SIGNED_BY_QUERY = {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "x-amz-security-token", "awsaccesskeyid"}


def from_browser(headers):
    """Whether a browser sent it: SDKs and the AWS CLI send none of these, and no page can keep a browser from it."""
    return any(name in ("origin", "referer") or name.startswith("sec-fetch-") for name in headers)


def signed_by_query(query):
    return any(name.lower() in SIGNED_BY_QUERY for name in query)


def is_signed(headers, query):
    """Whether a request claims to be somebody's, rightly or not."""
    return headers.get("authorization", "").lstrip().lower().startswith("aws") or signed_by_query(query)


def is_issued(key):
    """Whether a key is the owner's, or one that was made with it. Whether its secret was used is another question."""
    from ministack.services import iam as users

    return key == KEY or key in sts._sessions or any(key == known for _, known in users._access_keys.to_dict())


def is_public(method, host, path, headers, query):
    """Whether AWS would answer an unsigned request, too, if what is deployed allows it."""
    if API_BY_PATH.fullmatch(path) and ENDPOINT.fullmatch(host):
        return True
    if "authorization" in headers:  # whatever it is: ministack takes who sends one for somebody
        return False
    if method == "POST" and path == "/":
        service, _, operation = headers.get("x-amz-target", "").partition(".")
        return service in UNSIGNED and operation in iam_actions.unsigned_operations(UNSIGNED[service])
    # A form that a browser or a tool sends to a bucket brings its own signature, which ministack checks.
    if method == "POST" and headers.get("content-type", "").startswith("multipart/form-data") and not query:
        target = server._s3_cors_target(host, path)
        return target is not None and not target[1] and server.detect_service(method, path, headers, query) == "s3"
    # A body may name another service's action.
    if method not in ("GET", "HEAD") or headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        return False
    if TOKEN_KEYS.fullmatch(path):
        return True
    # A bucket's policy decides who reads it, as on AWS.
    is_bucket = server._s3_cors_target(host, path) is not None and not BEFORE_S3.match(path)
    return is_bucket and server.detect_service(method, path, headers, query) == "s3"


NEXT = "`deployer local env` prints the keys that open it, for the user who started it"


def refusal(kind, method, host, path, headers, query):
    """Why a request isn't let in, as far as that can be told without looking at its signature; None if it may be."""
    if not LOOPBACK.fullmatch(host):
        return f"{host!a} isn't a name of this machine"
    if not path.startswith("/"):  # an address, as proxies are asked for, may name another host
        return "its target isn't a path"
    if kind == "websocket" and not WEBSOCKET_API.fullmatch(host):
        return "only WebSocket APIs have connections that stay open"
    app, signed = bool(APP.fullmatch(host)), is_signed(headers, query)
    if app and EMULATOR_PATH.fullmatch(path):
        return "this path is the emulator's own"
    if from_browser(headers):
        if not app:
            return "a browser reaches only the addresses of what is deployed"
        if signed:
            return "nothing that a browser sends may be signed"
    if path.startswith("/_") and not app:
        allowed = method in OPEN and OPEN[method].fullmatch(path) or method == "GET" and is_code_address(path, query)
        return None if allowed else "this path is the emulator's own"
    if "authorization" in headers and signed_by_query(query):
        return "it says twice who signed it"
    if signed and not is_issued(server.extract_access_key_id(headers, query)):
        return f"this key wasn't issued here. {NEXT}"
    if app:
        return None
    if server.detect_service(method, path, {}, {}) in ("imds", "ecs-metadata"):
        return "there is no machine here whose metadata this would be"
    if signed or is_public(method, host, path, headers, query):
        return None
    return f"it isn't signed. {NEXT}"


# Headers that need no signature: they are part of what is signed or checked themselves, or change nothing.
UNSIGNED_HEADERS = {"x-amz-date", "x-amz-security-token", "x-amz-user-agent"}


def v2_failure(method, raw_path, headers, query):
    """As `signature_failure`, for boto3's default presigned addresses of S3, which are signed the older way."""
    host, path = headers.get("host", ""), unquote(raw_path)
    if (
        server._s3_cors_target(host, path) is None
        or BEFORE_S3.match(path)
        or server.detect_service(method, path, headers, query) != "s3"
        or headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    ):
        return "UnsupportedSignature", "this signature is for objects of S3 alone"
    key = query["AWSAccessKeyId"][0]
    bucket = server._extract_s3_vhost_bucket(host)
    request = iam.SignedRequest(
        key, method, raw_path, query, headers, sigv2=True, auth_path=f"/{bucket}{raw_path}" if bucket else raw_path
    )
    verdict = iam._sigv2_check(request, iam.find_iam_access_key_account(key) or ACCOUNT)
    return (verdict.code, verdict.message) if isinstance(verdict, iam.AuthError) else None


def signature_failure(method, raw_path, headers, query, body):
    """The code and message for a signature that doesn't hold; None if it does. It is looked at here, whoever looks at it
    again: not every part of ministack does."""
    if "AWSAccessKeyId" in query and "x-amz-algorithm" not in {name.lower() for name in query}:
        return v2_failure(method, raw_path, headers, query)
    if signed_by_query(query):
        signature, algorithm = sigv4.parse_query_signature(query), one(query, "X-Amz-Algorithm")
        token = one(query, "X-Amz-Security-Token")
    else:
        signature, algorithm = sigv4.parse_header_signature(headers), headers["authorization"].partition(" ")[0]
        token = headers.get("x-amz-security-token", "")
    if isinstance(signature, tuple):
        return signature
    # Else who has one signed address, for one purpose, could say with it what else it is for.
    signed = UNSIGNED_HEADERS | set(signature.signed_headers.lower().split(";"))
    if loose := sorted(name for name in headers if name.startswith("x-amz-") and name not in signed):
        return "AccessDenied", f"There were headers present in the request which were not signed: {', '.join(loose)}"
    if signature.access_key_id != server.extract_access_key_id(headers, query):
        return "SignatureDoesNotMatch", "it names two keys"
    if algorithm != "AWS4-HMAC-SHA256":
        return "UnsupportedSignature", "the local cloud takes AWS4-HMAC-SHA256 alone"
    key = signature.access_key_id
    account = _account_from_sts_session(key) or iam.find_iam_access_key_account(key)
    credential = resolved(key, account, token)
    if isinstance(credential, iam.CredentialResolutionError):
        return credential.code, credential.message
    if signed_by_query(query):
        expires = one(query, "X-Amz-Expires") or "900"
        is_time = re.fullmatch(r"[0-9]{1,6}", expires) and re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", signature.amz_date)
        if not is_time or sigv4.presigned_request_is_expired(signature.amz_date, expires):
            return "AccessDenied", "Request has expired"
    elif skewed := sigv4.request_time_failure(signature):
        return skewed
    return sigv4.header_signature_failure(
        signature,
        credential.secret_access_key,
        method,
        raw_path,
        query,
        headers,
        body,
        presigned=signed_by_query(query),
    )


def one(query, name):
    return (query.get(name) or query.get(name.lower()) or [""])[0]


# What AWS's services that speak JSON call what those that speak XML call otherwise.
CODES = {
    "ExpiredToken": "ExpiredTokenException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


def explain(code, why, headers, query):
    """A refusal as the AWS SDKs understand it: by the service that the request was signed for."""
    message = f"Refused by the guard of deployer's local cloud: {why}."
    claim = headers.get("authorization", "") + " ".join(query.get("X-Amz-Credential", []))
    scope = re.search(r"/[0-9]{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request", claim)
    service = scope.group(1) if scope else ""
    if "x-amz-target" in headers or service in ("lambda", "apigateway", "execute-api", ""):
        code = CODES.get(code, code)
        return "application/json", code, json.dumps({"__type": code, "message": message})
    code = {other: code for code, other in CODES.items()}.get(code, code)
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "s3":
        return "application/xml", code, f"<Error>{error}</Error>"
    return "text/xml", code, f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"


async def refuse(kind, method, code, why, headers, query, send):
    if kind == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    content_type, code, text = explain(code, why, headers, query)
    body = b"" if method == "HEAD" else text.encode()
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [
                (b"content-type", content_type.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"x-amzn-errortype", code.encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def joined(fields, comma):
    """Header fields by their names in lower case; of one on several lines the values."""
    headers = {}
    for name, value in fields:
        name, value = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        headers[name] = f"{headers[name]}{comma}{value}" if name in headers else value
    return headers


async def read(receive):
    """The whole of a request's body, and the request to be read once more."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts), receive
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def again():
        return first.pop() if first else await receive()

    return body, again


# By this the deployer knows that who answers is what it started: another user may have the port before or after it.
HEALTH = "/_ministack/health"
CHALLENGE, PROOF = "x-deployer-challenge", "x-deployer-proof"


def proving(challenge, send):
    """`send`, and with what it sends the proof that who answers has the owner's secret. The port is part of it, so that
    nobody at another one can have this answer for its own."""
    proof = keyed("health", f"{os.environ['GATEWAY_PORT']} {challenge}".encode()).hexdigest()

    async def proved(message):
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (PROOF.encode(), proof.encode())]}
        await send(message)

    return proved


# ---- pages that load again when something was deployed ----

# Who watches, and when pages were last to load again: written by `deployer watch`, as long as it runs.
PAGES = os.path.join(os.path.dirname(CREDENTIALS), "pages")
RELOAD = re.compile(r"/_deployer/reload(\.js)?")
SITE = re.compile(r"d[a-z0-9]{13}\.cloudfront\.localhost(?::[0-9]{1,5})?")
LARGEST_PAGE = 8 << 20  # bytes
SCRIPT = """const since = new URL(document.currentScript.src).searchParams.get("since");
new EventSource("/_deployer/reload?since=" + since).onmessage = () => location.reload();
"""


def watched():
    """What tells one time that pages load again from another; None if nobody watches."""
    try:
        with open(PAGES, encoding="ascii") as file:
            pid, at = file.read(64).split()
        os.kill(int(pid), 0)
        return at
    except (OSError, ValueError, OverflowError):
        return None


async def tell(kind, send, receive, since):
    """Answers a page's script: the script itself, or, when pages are to load again, that."""
    text = kind and SCRIPT or ""
    content_type = "text/javascript; charset=utf-8" if kind else "text/event-stream"
    headers = [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if not kind:
        gone = asyncio.ensure_future(left(receive))
        # Half a minute, so that none outlives its page for long: a browser asks again by itself.
        for _ in range(600):
            if (at := watched()) != since or gone.done():
                text = "data: reload\n\n" if at else ""
                break
            await asyncio.sleep(0.05)
        gone.cancel()
    await send({"type": "http.response.body", "body": text.encode()})


async def left(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


def with_script(send, since):
    """`send`, and in what it sends the script that waits, if that is a page."""
    start, parts = None, []

    async def sending(message):
        nonlocal start
        if message["type"] == "http.response.start":
            headers = {name.lower(): value for name, value in message.get("headers", [])}
            is_page = headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
            if is_page and int(headers.get(b"content-length", b"0")) <= LARGEST_PAGE:
                start = message
                return
        elif start is not None and message["type"] == "http.response.body":
            parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            body = b"".join(parts)
            if body:
                body += b'<script src="/_deployer/reload.js?since=%s"></script>' % since.encode()
            headers = [
                (name, allowing(value) if name.lower() == b"content-security-policy" else value)
                for name, value in start["headers"]
                # The page isn't what these are about any more.
                if name.lower() not in (b"content-length", b"etag", b"last-modified", b"cache-control")
            ]
            headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
            await send({**start, "headers": headers})
            message = {**message, "body": body}
        await send(message)

    return sending


def allowing(policy):
    """A Content-Security-Policy that lets the page load the script and hear from where it comes."""
    directives = {}
    for directive in policy.decode("latin-1").split(";"):
        name, _, sources = directive.strip().partition(" ")
        if name:
            directives.setdefault(name.lower(), sources.split())
    fallback = directives.get("default-src")
    for name in ("script-src", "script-src-elem", "connect-src"):
        sources = directives.get(name)
        if sources is None and (fallback is None or name == "script-src-elem"):
            continue
        sources = [source for source in (fallback if sources is None else sources) if source != "'none'"]
        directives[name] = sources + ["'self'"] * ("'self'" not in sources)
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items()).encode("latin-1")


ministack = server.app


async def guarded(scope, receive, send):
    kind = scope["type"]
    if kind not in ("http", "websocket"):
        return await ministack(scope, receive, send)
    # A name is the same in upper case, which not all of ministack knows: it gets the one that is judged here.
    fields = [(name, value.lower() if name.lower() == b"host" else value) for name, value in scope.get("headers", [])]
    scope = {**scope, "headers": fields}
    headers = joined(fields, ", ")
    query = parse_qs(scope.get("query_string", b"").decode("utf-8", "replace"), keep_blank_values=True)
    method, host, path = scope.get("method", "GET"), headers.get("host", ""), scope.get("path", "")
    why = refusal(kind, method, host, path, headers, query)
    if [name.lower() for name, _ in fields].count(b"authorization") > 1:
        why = "it says twice who signed it"
    if why:
        return await refuse(kind, method, "InvalidClientTokenId", why, headers, query, send)
    if kind == "http" and method == "GET" and SITE.fullmatch(host) and (since := watched()):
        if wanted := RELOAD.fullmatch(path):
            return await tell(wanted.group(1), send, receive, one(query, "since"))
        if "text/html" in headers.get("accept", ""):
            # A browser's own copy doesn't have the script, or has it from an earlier time.
            conditions = (b"if-none-match", b"if-modified-since")
            scope = {**scope, "headers": [field for field in fields if field[0].lower() not in conditions]}
            send = with_script(send, since)
    if method == "GET" and path == HEALTH and re.fullmatch(r"[0-9a-f]{64}", challenge := headers.get(CHALLENGE, "")):
        send = proving(challenge, send)
    # Who may come to an app's addresses, its API decides.
    if kind == "http" and is_signed(headers, query) and not APP.fullmatch(host) and not CODE.fullmatch(path):
        body = b""
        payload = headers.get("x-amz-content-sha256", "")
        # Said, it is signed; of chunks each is signed, and nobody else looks at them all.
        if not payload or payload.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
            body, receive = await read(receive)
        raw_path = (scope.get("raw_path") or quote(path).encode()).decode("latin-1")
        if failure := signature_failure(method, raw_path, joined(fields, ","), query, body):
            return await refuse(kind, method, *failure, headers, query, send)
    await ministack(scope, receive, send)


server.app = guarded


async def http1(protocol, request):
    """Leaves a connection as it is. HTTP/2 has a second name for `Host`; nothing here needs it, and who asks for it is
    answered as if it hadn't."""


H11Protocol._check_protocol = http1


# ---- the owner's keys, and nobody else's, are root's ----

resolve_credential, resolve_caller = iam.resolve_credential, iam.resolve_caller_identity


def resolved(key, account_id=None, *token, **named):
    if key != KEY:
        return resolve_credential(key, account_id, *token, **named)
    root = f"arn:aws:iam::{ACCOUNT}:root"
    return iam.ResolvedCredential(key, SECRET, ACCOUNT, root, ACCOUNT, "Root", source_access_key_id=key)


def caller(key):
    if key != KEY:
        return resolve_caller(key)
    root = resolved(key)
    return {
        "accessKey": key,
        "accountId": root.account_id,
        "userArn": root.principal_arn,
        "userId": root.principal_id,
        "principalOrgId": None,
        "session": None,
    }


for module in (iam, sts, s3):
    module.resolve_credential = resolved
iam.resolve_caller_identity = caller
# No name opens anything by itself; "" stays, since it means that nobody signed, which is for the service to judge.
iam.is_root_access_key = sts.is_root_access_key = lambda key: not key

# By itself ministack takes for root whoever sends any other `Authorization` than AWS's. Who doesn't sign is nobody.
pin_signed_request, check_credentials = server.pin_signed_request, iam.check_credentials
enforce_execute_api = server._enforce_execute_api


def pinned(method, raw_path, query, fields, **named):
    pin_signed_request(method, raw_path, query, fields, **named)
    if not is_signed(joined(fields, ", "), query):
        iam._anonymous.set(True)


def checked(key, service=None):
    if iam._anonymous.get():
        return iam.AuthError("MissingAuthenticationToken", "Missing Authentication Token")
    return check_credentials(key, service)


def enforced(api, stage, method, path, headers, query, **named):
    kind = (server._get_module("apigateway")._api_owner(api) or ("",))[0]
    # What a connection is asked for when it begins isn't asked of a plain request, which has no business there.
    if kind == "WEBSOCKET" and not path.startswith("/@connections/"):
        return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
    wanted = server._execute_api_authorization_type(api, stage, method, path)
    if wanted == "AWS_IAM" and not is_signed(headers, query):
        return 403, {"Content-Type": "application/json"}, b'{"message":"Missing Authentication Token"}'
    return enforce_execute_api(api, stage, method, path, headers, query, **named)


server.pin_signed_request = iam.pin_signed_request = pinned
iam.check_credentials = checked
server._enforce_execute_api = enforced


# ---- what functions get ----


def keyed(purpose, data):
    return hmac.new(f"{purpose}:{SECRET}".encode(), data, "sha256")


class Instead:
    """A module with some of its names replaced."""

    def __init__(self, module, **names):
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)


# A role's keys are hashes of two ARNs, which anybody can work out; with the owner's secret in them nobody can.
lambda_runtime.hashlib = Instead(hashlib, sha256=lambda data: keyed("role", data))

# On Lambda a function sees nothing of whoever deployed it. Of what the emulator was started with it gets the way back
# to the emulator, a private folder for temporary files, and a PATH on which a runtime's interpreter is.
_node = shutil.which("node")
_path = ["/usr/local/bin", "/usr/bin", "/bin", *([os.path.dirname(_node)] if _node else [])]
_kept = (
    "AWS_CONFIG_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_SHARED_CREDENTIALS_FILE",
    "GATEWAY_PORT",
    "TMPDIR",
)
_environment = {name: os.environ[name] for name in _kept if name in os.environ}
_environment |= {"PATH": ":".join(dict.fromkeys(_path)), "LANG": "en_US.UTF-8", "TZ": ":UTC"}
lambda_runtime.os = Instead(os, environ=_environment)
lambda_svc.os = Instead(os, environ=_environment)

# The addresses of code that Lambda gives are signed, as AWS's are: who may ask for one may follow it.
code_url, layer_url = lambda_svc._presigned_code_url, lambda_svc._layer_content_url


def code_token(path, date):
    return keyed("code", f"{path} {date}".encode()).hexdigest()


def is_code_address(path, query):
    """Whether it is one that `signed_url` made, not long ago."""
    if not CODE.fullmatch(path):
        return False
    date, token = one(query, "X-Amz-Date"), one(query, "X-Amz-Signature")
    try:
        age = time.time() - calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return False
    return -60 <= age <= CODE_LIFETIME and hmac.compare_digest(token.encode(), code_token(path, date).encode())


def signed_url(made):
    def signed(*args, **named):
        url = urlsplit(made(*args, **named))
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        query = f"X-Amz-Date={date}&X-Amz-Expires={CODE_LIFETIME}&X-Amz-Signature={code_token(url.path, date)}"
        return url._replace(query=query).geturl()

    return signed


lambda_svc._presigned_code_url = signed_url(code_url)
lambda_svc._layer_content_url = signed_url(layer_url)

# A function asks for its events at an address of its own, which ministack opens to all. It is the function's alone.
parse_request = BaseHTTPRequestHandler.parse_request


def is_of_this_user(client, port):
    """Whether the other end of a connection from port `client` to port `port` of this machine is this user's."""
    # A client with a socket for both kinds of address, as Java's, is in the second.
    tables = {"/proc/net/tcp": "0100007F", "/proc/net/tcp6": "0000000000000000FFFF00000100007F"}
    told = False
    for name, address in tables.items():
        ends = [f"{address}:{client:04X}", f"{address}:{port:04X}", "01"]
        try:
            with open(name, encoding="ascii") as table:
                told = True
                # 01 is an open connection. What is left of a closed one has no owner, and is said to be root's.
                if any(row[1:4] == ends and int(row[7]) == os.getuid() for row in map(str.split, table)):
                    return True
        except OSError:
            continue
    return not told  # another system than Linux doesn't tell


def parse_functions_request(handler):
    if not parse_request(handler):
        return False
    port = handler.server.server_address[1]
    headers = {name.lower(): value for name, value in handler.headers.items()}
    is_own = headers.get("host") == f"127.0.0.1:{port}" and not from_browser(headers)
    if is_own and is_of_this_user(handler.client_address[1], port):
        return True
    handler.send_error(403)
    return False


BaseHTTPRequestHandler.parse_request = parse_functions_request


# ---- functions of one name ----

# ministack ends what runs a function when one of its name is made or changed, in whichever region: what was just about an
# event elsewhere answered nothing.
end_functions = lambda_svc.invalidate_worker


def end_of_one_region(name, qualifier=None, account=None, region=None):
    end_functions(name, qualifier, account or lambda_svc.get_account_id(), region or lambda_svc.get_region())


lambda_svc.invalidate_worker = end_of_one_region


# ---- what functions leave in their logs ----


def in_log(result, request_id):
    """Adds to what a function wrote what Lambda itself would write: that it ended, or was ended, and why. What it said
    before its first event ministack has in the reason alone."""
    body = result.get("body")
    if not result.get("error") or not isinstance(body, dict):
        return result
    kind, why = str(body.get("errorType", "")), str(body.get("errorMessage", ""))
    if not kind.startswith(("Runtime.", "Sandbox.")) or kind == "Runtime.HandlerError":
        return result
    said = result.get("log") or ""
    if not said and why.startswith("bootstrap "):
        why, _, said = why.partition(": ")
    own = f"RequestId: {request_id} Error: {why}\n{kind}"
    return result | {"log": f"{said}\n{own}" if said else own}


def logged(execute):
    return lambda func, event, request_id: in_log(execute(func, event, request_id), request_id)


lambda_svc._execute_function_provided_warm = logged(lambda_svc._execute_function_provided_warm)
lambda_svc._execute_function_warm = logged(lambda_svc._execute_function_warm)


# ---- buckets that go with their stacks ----


def with_its_files(delete):
    """What removes a bucket with its stack: ministack forgets such a one, and would find it again on its disk when it is
    started next, with nobody's stack around it."""

    def deleted(name, *args):
        done = delete(name, *args)
        if name not in s3._buckets:
            s3._delete_persisted_bucket(name)
            versions = os.path.join(s3.DATA_DIR, s3._VERSIONS_DIR, s3.get_account_id())
            if os.path.basename(name) == name and name not in ("", ".", ".."):
                shutil.rmtree(os.path.join(versions, name), ignore_errors=True)
        return done

    return deleted


_bucket = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
_bucket["delete"] = with_its_files(_bucket["delete"])


# ---- whether all was saved ----

# The file is there until all is saved, so that its going says so: a full disk takes no new file, and ministack only logs
# what it couldn't save. It is as long as a disk's block, so that there is room for the reason.
UNSAVED = os.path.abspath("unsaved.txt")


def note_unsaved(why, mode):
    with open(UNSAVED, mode, encoding="utf-8") as file:
        file.write(f"{why[:500]}".ljust(4096))


class Failures(logging.Handler):
    def __init__(self):
        super().__init__(logging.ERROR)
        self.reasons = []

    def emit(self, record):
        self.reasons.append(record.getMessage())


save_all = server.save_all


def saved(*args, **named):
    failures = Failures()
    persistence.logger.addHandler(failures)
    try:
        save_all(*args, **named)
    finally:
        persistence.logger.removeHandler(failures)
    if failures.reasons:
        note_unsaved(failures.reasons[0], "r+")
    else:
        os.remove(UNSAVED)


note_unsaved("it ended before it could", "w")
server.save_all = saved


# ---- at an app's address nothing answers but the app ----


def is_app(headers):
    return bool(APP.fullmatch(headers.get("host", "")))


def elsewhere(handler):
    """`handler`, but not for an app's addresses."""

    async def handle(method, path, headers, *rest, **named):
        return None if is_app(headers) else await handler(method, path, headers, *rest, **named)

    return handle


server._handle_pre_body_request = elsewhere(server._handle_pre_body_request)
server._handle_post_body_shortcuts = elsewhere(server._handle_post_body_shortcuts)
special_data_plane = server._handle_special_data_plane_request


async def data_plane(
    method, path, headers, body, query, request_id, raw_path=None, raw_query_string="", client_ip="127.0.0.1"
):
    raw = {"raw_path": raw_path, "raw_query_string": raw_query_string}
    if not is_app(headers):
        return await special_data_plane(method, path, headers, body, query, request_id, **raw, client_ip=client_ip)
    host = headers["host"]
    if response := await server._handle_cloudfront_dataplane_request(
        host, path, raw_path or path, raw_query_string, method, headers, body, query, client_ip
    ):
        return response
    if response := await server._handle_execute_api_request(host, path, method, headers, body, query, **raw):
        return server._with_data_plane_headers(response, request_id, wildcard_cors=False)
    if response := await server._handle_lambda_url_request(host, path, method, headers, body, query):
        response[1].setdefault("x-amzn-RequestId", request_id)
        return response
    return 404, {"Content-Type": "text/plain"}, b"Nothing is deployed at this address of the local cloud.\n"


server._handle_special_data_plane_request = data_plane

server.main()
