"""The same as tests/programs/aws_sign.c, by botocore; runs in the environment of build/interop."""
import datetime
import json
import sys
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    case = json.loads(line)
    now = datetime.datetime.fromtimestamp(int(case["now"]), datetime.timezone.utc)
    kind = botocore.auth.S3SigV4Auth if case["service"] == "s3" else botocore.auth.SigV4Auth
    signer = kind(Credentials(case["id"], case["secret"]), case["service"], case["region"])
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                     for name, value in case["query"])
    path = quote(case["path"], safe="/-_.~")
    host = dict(case["headers"])["Host"]
    request = AWSRequest(method=case["method"],
                         url=f"https://{host}{path}" + (f"?{query}" if query else ""))
    for name, value in case["headers"]:
        request.headers[name] = value
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    print(f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
          f"Signature={signature}")
