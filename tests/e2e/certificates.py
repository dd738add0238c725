"""Certificates for the tests, made on the spot with the `openssl` tool: authorities, servers and
clients with every fault that a test wants. Keys are made once per kind and owner; everything lies in
one temporary folder."""
import base64
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

KEYS = {
    "rsa": ["genrsa", "2048"], "rsa1024": ["genrsa", "1024"], "rsa3072": ["genrsa", "3072"], "rsa4096": ["genrsa", "4096"],
    "ec": ["ecparam", "-genkey", "-noout", "-name", "prime256v1"],
    "p384": ["ecparam", "-genkey", "-noout", "-name", "secp384r1"],
    "p521": ["ecparam", "-genkey", "-noout", "-name", "secp521r1"],
    "ed25519": ["genpkey", "-algorithm", "ed25519"],
}
SERVER, CLIENT = "serverAuth", "clientAuth"


def openssl(*arguments, data=None):
    result = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True)
    if result.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {result.stderr.decode()}")
    return result.stdout


def names_as_der(*names):
    """A subjectAltName of raw dNSNames, NULs and all, in the notation of openssl's configuration."""
    content = b"".join(b"\x82" + bytes([len(n)]) + n for n in names)
    return "DER:" + (b"\x30" + bytes([len(content)]) + content).hex(":")


class Certificate:
    def __init__(self, path, key, issuer):
        self.path, self.key, self.issuer = path, key, issuer

    def pem(self):
        return self.path.read_text()

    def der(self):
        return openssl("x509", "-in", self.path, "-outform", "DER")

    def pin(self):
        """curl's notation of its public key."""
        key = openssl("pkey", "-pubin", "-outform", "DER", data=openssl("x509", "-in", self.path, "-pubkey", "-noout"))
        return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


class Certificates:
    """A folder of certificates; a context manager."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="turbohttp-tls-"))
        self.keys, self.count = {}, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def key(self, kind, owner):
        if (kind, owner) not in self.keys:
            path = self.folder / f"key-{len(self.keys)}.pem"
            path.write_bytes(openssl(*KEYS[kind]))
            self.keys[kind, owner] = path
        return self.keys[kind, owner]

    def file(self, name, *parts):
        """Certificates and keys, one after the other, in one file."""
        path = self.folder / name
        path.write_text("".join(p.pem() if isinstance(p, Certificate) else Path(p).read_text() for p in parts))
        return path

    def issue(self, subject, issuer=None, key="rsa", names=("DNS:server.test",), ca=False, path_length=None,
              start="20200101000000Z", end="20491231235959Z", digest="sha256", extra=(), basic=None):
        """Signs a certificate; without an issuer by its own key. `extra` are lines of extensions."""
        self.count += 1
        owner = subject if ca else "leaf"
        folder, key_path = self.folder / f"issue-{self.count}", self.key(key, owner)
        folder.mkdir()
        length = "" if path_length is None else f",pathlen:{path_length}"
        lines = [f"basicConstraints={basic or ('critical,CA:TRUE' + length if ca else 'CA:FALSE')}"]
        if names:
            lines.append(f"subjectAltName={names if isinstance(names, str) else ','.join(names)}")
        lines += extra
        config = folder / "openssl.cnf"
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text(f"{0x1000 + self.count:x}")
        config.write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder}/index.txt\nserial={folder}/serial\nnew_certs_dir={folder}\n"
            f"unique_subject=no\npolicy=p\ndefault_md={digest}\nx509_extensions=e\n[p]\ncommonName=optional\n"
            "organizationName=optional\n[req]\ndistinguished_name=d\nprompt=no\n[d]\nCN=x\n[e]\n" + "\n".join(lines) + "\n")
        request, out = folder / "request.pem", folder / "certificate.pem"
        openssl("req", "-new", "-config", config, "-key", key_path, "-subj", f"/CN={subject}", "-out", request)
        by = ["-selfsign", "-keyfile", key_path] if issuer is None else ["-cert", issuer.path, "-keyfile", issuer.key]
        openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-out", out, "-startdate", start,
                "-enddate", end, *by)
        return Certificate(out, key_path, issuer)

    def authority(self, subject, issuer=None, **more):
        return self.issue(subject, issuer, names=None, ca=True, **more)
