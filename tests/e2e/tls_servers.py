"""TLS servers of other people: openssl's s_server and nginx, each on a port of its own choice."""
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

from servers import Nginx, Process, Raw, free_port, leave, wait_for_port


class OpenSSL:
    """openssl s_server: answers every request with a page about the connection (HTTP/1.0, until close)."""

    def __init__(self, certificate, chain=(), *arguments, address="127.0.0.1", page="-www"):
        self.certificate, self.chain, self.arguments = certificate, chain, arguments
        self.address, self.page, self.port = address, page, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="turbohttp-"))

    def __enter__(self):
        shown = f"[{self.address}]" if ":" in self.address else self.address
        command = ["openssl", "s_server", "-accept", f"{shown}:{self.port}", "-cert", self.certificate.path, "-key",
                   self.certificate.key, self.page, "-quiet"]
        if "-cipher" not in self.arguments:
            command += ["-cipher", "ALL:@SECLEVEL=0"]
        if self.chain:
            path = self.folder / "chain.pem"
            path.write_text("".join(c.pem() for c in self.chain))
            command += ["-cert_chain", path]
        self.process = subprocess.Popen([*map(str, command), *map(str, self.arguments)], stdin=subprocess.DEVNULL,
                                        cwd=self.folder, stdout=open(self.folder / "stdout.txt", "wb"),
                                        stderr=open(self.folder / "stderr.txt", "wb"))
        try:
            self.wait()
        except RuntimeError as e:
            raise RuntimeError(f"{e}: {(self.folder / 'stderr.txt').read_text()}") from None
        return self

    def wait(self):
        wait_for_port(self.port, self.process, address=self.address)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


class SecureNginx(Nginx):
    """nginx with TLS on top of the plain one: `servers` are pairs of a host name and lines of its own."""

    def __init__(self, certificate, chain=(), servers=(), more=""):
        super().__init__()
        self.tls_port, self.more, self.servers = free_port(), more, servers or [("server.test", "")]
        self.certificate, self.chain = certificate, chain

    def command(self):
        command = super().command()
        (self.folder / "chain.pem").write_text("".join(c.pem() for c in (self.certificate, *self.chain)))
        blocks = "".join(f"""
            server {{
                listen 127.0.0.1:{self.tls_port} ssl; server_name {name}; root {self.root};
                ssl_certificate {self.folder}/chain.pem; ssl_certificate_key {self.certificate.key};
                ssl_session_cache shared:one:1m; ssl_session_tickets off; ssl_protocols TLSv1.2;
                add_header X-Reused "$ssl_session_reused"; add_header X-Cipher $ssl_cipher; add_header X-Name "$ssl_server_name";
                add_header X-Client "$ssl_client_s_dn"; add_header X-Connection $connection; add_header X-ALPN "$ssl_alpn_protocol";
                client_max_body_size 64m; client_body_buffer_size 64k;
                location / {{ }}
                location /gzip/ {{ alias {self.root}/; gzip on; gzip_types *; gzip_min_length 1; }}
                location /close/ {{ alias {self.root}/; keepalive_timeout 0; }}
                location /echo {{ echo_read_request_body; echo_request_body; }}
                {self.more} {lines}
            }}""" for name, lines in self.servers)
        conf = self.folder / "nginx.conf"
        text = conf.read_text().rstrip()
        conf.write_text(text[:text.rindex("}")] + blocks + "}")
        return command

    def secure(self, path="/", host="server.test"):
        return f"https://{host}:{self.tls_port}{path}"


class Scripted(Raw):
    """Python's TLS server that does what a function says: `behave(connection, number)`."""

    def __init__(self, behave, certificate, chain=(), alpn=None, configure=None, folder=None):
        super().__init__(behave)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        path = Path(folder) / f"scripted-{self.port}.pem"
        path.write_text("".join(c.pem() for c in (certificate, *chain)))
        self.context.load_cert_chain(path, certificate.key)
        if alpn:
            self.context.set_alpn_protocols(alpn)
        if configure:
            configure(self.context)

    def handle(self, connection, number):
        try:
            with connection, self.context.wrap_socket(connection, server_side=True,
                                                      suppress_ragged_eofs=True) as secured:
                try:
                    self.behave(secured, number)
                finally:
                    leave(secured)
        except (OSError, ValueError):
            pass  # the client refused us, or went away: often what the test is about
