"""A client of TLS 1.3 that renews keys as it likes, which Python's ssl has no way to say: libssl,
by ctypes. What it makes lies in memory until it is sent, so that it decides what goes together."""
import ctypes
import ctypes.util
import socket

SSL = ctypes.CDLL(ctypes.util.find_library("ssl"))
CRYPTO = ctypes.CDLL(ctypes.util.find_library("crypto"))
for library, name, result, arguments in (
        (SSL, "TLS_client_method", "p", ""), (SSL, "SSL_CTX_new", "p", "p"),
        (SSL, "SSL_CTX_free", None, "p"), (SSL, "SSL_new", "p", "p"), (SSL, "SSL_free", None, "p"),
        (SSL, "SSL_set_bio", None, "ppp"), (SSL, "SSL_set_connect_state", None, "p"),
        (SSL, "SSL_do_handshake", "i", "p"), (SSL, "SSL_key_update", "i", "pi"),
        (SSL, "SSL_read", "i", "ppi"), (SSL, "SSL_write", "i", "ppi"),
        (CRYPTO, "BIO_s_mem", "p", ""), (CRYPTO, "BIO_new", "p", "p"),
        (CRYPTO, "BIO_read", "i", "ppi"), (CRYPTO, "BIO_write", "i", "ppi")):
    kinds = {"p": ctypes.c_void_p, "i": ctypes.c_int, None: None}
    getattr(library, name).restype = kinds[result]
    getattr(library, name).argtypes = [kinds[kind] for kind in arguments]

TIMEOUT_S = 60
UPDATE_REQUESTED = 1


class Client:
    """Connected, and its handshake complete; its Finished waits in .made()."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = ctypes.create_string_buffer(1 << 20)
        self.context = SSL.SSL_CTX_new(SSL.TLS_client_method())
        self.ssl = SSL.SSL_new(self.context)
        self.input, self.output = (CRYPTO.BIO_new(CRYPTO.BIO_s_mem()) for _ in range(2))
        SSL.SSL_set_bio(self.ssl, self.input, self.output)
        SSL.SSL_set_connect_state(self.ssl)
        while SSL.SSL_do_handshake(self.ssl) != 1:
            self.socket.sendall(self.made())
            self.feed()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        SSL.SSL_free(self.ssl)
        SSL.SSL_CTX_free(self.context)

    def made(self):
        """What is to be sent, and has not been asked for yet."""
        size = CRYPTO.BIO_read(self.output, self.buffer, len(self.buffer))
        return self.buffer.raw[:max(size, 0)]

    def feed(self):
        """Takes what the server has sent; False at its end."""
        data = self.socket.recv(1 << 16)
        CRYPTO.BIO_write(self.input, data, len(data))
        return data != b""

    def renew(self, times=1):
        """Asks for new keys, and that the server does the same."""
        for _ in range(times):
            SSL.SSL_key_update(self.ssl, UPDATE_REQUESTED)
            SSL.SSL_do_handshake(self.ssl)
        return self

    def write(self, data):
        assert SSL.SSL_write(self.ssl, data, len(data)) == len(data)
        return self

    def read(self, end):
        """All up to these bytes, under however many keys."""
        found = b""
        while not found.endswith(end):
            got = SSL.SSL_read(self.ssl, self.buffer, len(self.buffer))
            if got > 0:
                found += self.buffer.raw[:got]
            else:
                assert self.feed(), found
        return found
