"""Certificates for tests, made by the openssl command: an authority of one's own and what it signs."""
import subprocess


def _openssl(*args, cwd):
    subprocess.run(["openssl", *args], cwd=cwd, check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder: .ca is its certificate's path."""

    def __init__(self, folder, name="omni test authority"):
        self.folder = folder
        self.ca = folder / "ca.pem"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", f"/CN={name}",
                 cwd=folder)

    def issue(self, name, alternatives="DNS:localhost,IP:127.0.0.1", days=30, stem=None):
        """(certificate, key) for a subject CN=name; the files are replaced when they are there."""
        stem = stem or name
        extensions = self.folder / f"{stem}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", f"{stem}.key.new", "-out", f"{stem}.csr", "-subj", f"/CN={name}",
                 cwd=self.folder)
        _openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                 "-CAcreateserial", "-out", f"{stem}.pem.new", "-days", str(days), "-extfile",
                 extensions.name, cwd=self.folder)
        for suffix in ("key", "pem"):
            (self.folder / f"{stem}.{suffix}.new").rename(self.folder / f"{stem}.{suffix}")
        return self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
