"""Checks AWS signatures, version 4, as a server does, and makes them for what tests ask by themselves:
written from AWS's description, on its own."""
import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import quote, unquote

FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$")
MUST_BE_SIGNED = {"host", "x-amz-date"}
SKEW_S = 15 * 60


class Refused(Exception):
    """What a server would answer: an error's name and text."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name, self.text = name, text


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def canonical_query(query):
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = sorted((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
                     for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def canonical_request(method, path, query, headers, signed, payload_hash, service):
    """headers: (name, value) pairs as they came; path and query: as they came."""
    values = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(" ".join(value.split()))
    lines = "".join(f"{name}:{','.join(values.get(name, []))}\n" for name in signed)
    uri = path if service == "s3" else quote(path, safe="/-_.~")
    return "\n".join((method, uri or "/", canonical_query(query), lines, ";".join(signed),
                      payload_hash))


def signature_of(secret, date, scope, canonical):
    day, region, service, _ = scope.split("/")
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()))
    key = mac(mac(mac(mac(f"AWS4{secret}".encode(), day), region), service), "aws4_request")
    return mac(key, text).hex()


def sign(method, target, headers, body, key, region, service):
    """headers, which name the host, and those of a signature over all of AWS's and the host.

    target: path and query as they are sent; key: access key id and secret.
    """
    path, _, query = target.partition("?")
    payload_hash = hashlib.sha256(body or b"").hexdigest()
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {name: value for name, value in headers.items()
               if name.lower() != "x-amz-content-sha256"}
    headers.update({"X-Amz-Date": date, "X-Amz-Content-Sha256": payload_hash})
    signed = sorted(name.lower() for name in headers
                    if name.lower() == "host" or name.lower().startswith("x-amz-"))
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    canonical = canonical_request(method, path, query, headers.items(), signed, payload_hash, service)
    signature = signature_of(key[1], date, scope, canonical)
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={key[0]}/{scope}, " \
                               f"SignedHeaders={';'.join(signed)}, Signature={signature}"
    return headers


def check(method, path, query, headers, body, secrets, now_s):
    """The access key id, service and region that a request is signed by and for; raises Refused.

    secrets: access key id → (secret, session token or None).
    """
    lower = {name.lower(): value for name, value in headers}
    match = FORM.match(lower.get("authorization", ""))
    if not match:
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    key_id, day, region, service, names, signature = match.groups()
    signed = names.split(";")
    unsigned = [name for name in lower
                if (name in MUST_BE_SIGNED or name.startswith("x-amz-")) and name not in signed]
    if signed != sorted(signed) or unsigned or not MUST_BE_SIGNED <= set(signed):
        raise Refused("IncompleteSignature", f"not signed: {unsigned}")
    if key_id not in secrets:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid")
    secret, token = secrets[key_id]
    if lower.get("x-amz-security-token") != token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid")
    date = lower["x-amz-date"]
    then_s = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    if date[:8] != day:
        raise Refused("SignatureDoesNotMatch", "Date in Credential scope does not match")
    actual = hashlib.sha256(body).hexdigest()
    payload_hash = lower.get("x-amz-content-sha256", actual)
    if payload_hash not in (actual, "UNSIGNED-PAYLOAD"):
        raise Refused("XAmzContentSHA256Mismatch", "The provided hash does not match the body")
    if service == "s3" and "x-amz-content-sha256" not in lower:
        raise Refused("MissingSecurityHeader", "x-amz-content-sha256 is missing")
    canonical = canonical_request(method, path, query, headers, signed, payload_hash, service)
    scope = f"{day}/{region}/{service}/aws4_request"
    if not hmac.compare_digest(signature_of(secret, date, scope, canonical), signature):
        raise Refused("SignatureDoesNotMatch", f"The canonical request is:\n{canonical}")
    if abs(then_s - now_s) > SKEW_S:
        late = then_s < now_s
        raise Refused("RequestTimeTooSkewed" if service == "s3" else "InvalidSignatureException",
                      f"Signature {'expired' if late else 'not yet current'}: {date}")
    return key_id, service, region
