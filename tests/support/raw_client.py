"""A client that sends exactly the bytes it is told and reads answers strictly."""
import socket
import struct

TIMEOUT_S = 60


class Closed(Exception):
    """The server closed where an answer was expected."""


class Response:
    def __init__(self, status, headers, body, interim):
        self.status, self.headers, self.body, self.interim = status, headers, body, interim

    def get(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) <= 1, f"{name} comes {len(values)} times"
        return values[0] if values else None


class Raw:
    """`tls`: an ssl.SSLContext to speak through."""

    def __init__(self, port, timeout_s=TIMEOUT_S, receive_buffer=None, tls=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost",
                                          suppress_ragged_eofs=False)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def get(self, path, method="GET", headers="", version="1.1"):
        return self.send(f"{method} {path} HTTP/{version}\r\nHost: a\r\n{headers}\r\n")

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(f"closed behind {self.buffer!r}")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def head(self):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        return int(status), [tuple(line.split(": ", 1)) for line in lines[1:]]

    def chunk(self):
        size = int(self._until(b"\r\n"), 16)
        data = self._exactly(size)
        assert self._exactly(2) == b"\r\n"
        return data

    def response(self, method="GET"):
        interim = []
        status, headers = self.head()
        while status < 200:
            interim.append(status)
            status, headers = self.head()
        found = Response(status, headers, b"", interim)
        length, encoding = found.get("content-length"), found.get("transfer-encoding")
        assert found.get("date"), headers
        if method == "HEAD" or status in (204, 304):
            return found
        if encoding:
            assert encoding == "chunked" and length is None
            while piece := self.chunk():
                found.body += piece
        elif length is not None:
            found.body = self._exactly(int(length))
        else:
            assert found.get("connection") == "close"
            found.body = self.rest()
        return found

    def rest(self):
        """All that still comes, until the server closes."""
        try:
            while True:
                self._more()
        except Closed:
            rest, self.buffer = self.buffer, b""
            return rest

    def expect_close(self):
        assert self.rest() == b""

    def expect_open(self):
        assert self.get("/hello").response().body == b"hello, world\n"

    def half_close(self):
        socket.socket.shutdown(self.socket, socket.SHUT_WR)  # of TLS too: the bare end
        return self

    def reset(self):
        """Leaves without good-bye: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def stats(port):
    import json
    with Raw(port) as raw:
        return json.loads(raw.get("/stats", headers="Connection: close\r\n").response().body)
