"""The objects of a bucket, read past the programs and the proxy."""
import xml.etree.ElementTree as tree
from urllib.parse import quote

import httpx

import sigv4
from counterparts import REGION, STATIC_KEY
from support.pipeline import archived_rows

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Signed(httpx.Auth):
    requires_request_body = True

    def auth_flow(self, request):
        headers = sigv4.sign(request.method, request.url.raw_path.decode(),
                             {"Host": request.headers["Host"]}, request.content, STATIC_KEY, REGION,
                             "s3")
        request.headers.update(headers)
        yield request


class Bucket:
    def __init__(self, port, name, prefix):
        self.name, self.prefix = name, prefix
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, auth=Signed())

    def close(self):
        self._http.close()

    def _get(self, path, **query):
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
        answer = self._http.get(f"/{self.name}{quote(path)}" + (f"?{pairs}" if pairs else ""))
        assert answer.status_code == 200, answer.text
        return answer

    def _list(self, element, **query):
        return list(tree.fromstring(self._get("", **query).content).iter(NAMESPACE + element))

    def keys(self):
        found = self._list("Contents", **{"list-type": "2", "prefix": self.prefix,
                                          "max-keys": "1000"})
        return [item.findtext(f"{NAMESPACE}Key") for item in found]

    def uploads(self):
        """Those that nobody has finished."""
        return self._list("Upload", uploads="")

    def copy_to(self, folder):
        """As a directory archive would lie there."""
        for key in self.keys():
            path = folder / key.removeprefix(self.prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._get(f"/{key}").content)

    def rows(self, stack, kind="events"):
        """As archived_rows, which finds them where the stack has its folders."""
        self.copy_to(stack.analytics_dir / "archive")
        return archived_rows(stack, kind)
