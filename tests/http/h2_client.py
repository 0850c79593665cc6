"""A client of HTTP/2 by python-h2 (an implementation that shares nothing with the server's), on a
plain socket or through TLS; raw frames can be slipped in beside it."""
import socket
import struct

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

TIMEOUT_S = 60
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9


class Stream:
    def __init__(self):
        self.headers, self.interim, self.body = {}, [], b""
        self.ended, self.reset, self.trailers = False, None, None

    @property
    def status(self):
        return int(self.headers[":status"])


class Client:
    """.streams by id; read(until) handles what comes until the condition holds."""

    def __init__(self, port, tls=None, window=None, acknowledge=True, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        # What is wrong on purpose must reach the server.
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.acknowledge = acknowledge
        self.streams, self.goaway, self.closed = {}, None, False
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def start(self, path="/hello", method="GET", headers=(), body=None, end=True, authority="a"):
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":path", path)]
        head += [(":authority", authority)] if authority is not None else []
        self.h2.send_headers(stream_id, head + list(headers), end_stream=end and body is None)
        self.streams[stream_id] = Stream()
        if body is not None:
            self.send(stream_id, body, end)
        self.flush()
        return stream_id

    def send(self, stream_id, body, end=True):
        while len(body) > (room := min(self.h2.local_flow_control_window(stream_id), 16384)):
            if room:
                self.h2.send_data(stream_id, body[:room])
                body = body[room:]
                self.flush()
            else:
                self.read_once()
        self.h2.send_data(stream_id, body, end_stream=end)
        self.flush()

    def raw(self, kind, flags, stream_id, payload=b""):
        frame = struct.pack("!I", len(payload))[1:] + bytes([kind, flags])
        self.socket.sendall(frame + struct.pack("!I", stream_id) + payload)

    def leave(self):
        """Without good-bye: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read_once(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()

    def handle(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event
        elif stream is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = event.error_code

    def read(self, until):
        while not until() and not self.closed:
            self.read_once()
        return self

    def finish(self, *stream_ids):
        """The streams, each ended or reset."""
        wanted = [self.streams[i] for i in stream_ids]
        self.read(lambda: all(s.ended or s.reset is not None for s in wanted))
        return wanted[0] if len(wanted) == 1 else wanted

    def get(self, path="/hello", **options):
        return self.finish(self.start(path, **options))

    def expect_goaway(self, code):
        self.read(lambda: self.goaway)
        assert self.goaway and self.goaway.error_code == code, self.goaway
        self.read(lambda: False)
        assert self.closed
