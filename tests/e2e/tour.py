"""`make run`: starts nginx on loopback, with a certificate authority made on the spot, and shows the
tour against it. Four ports: HTTP/1.1 and HTTP/2, each over cleartext and over TLS."""
import os
import subprocess
import sys

from certificates import Certificates
from servers import free_port
from tls_servers import SecureNginx

POEM = b"The packet left on Monday,\nthe answer came the same day,\n" * 40

with Certificates() as certificates:
    authority = certificates.authority("Authority of the tour")
    certificate = certificates.issue("localhost", authority, names=("DNS:localhost",))
    clear, secret = free_port(), free_port()
    http2 = f"listen 127.0.0.1:{clear} http2; listen 127.0.0.1:{secret} ssl http2;"
    with SecureNginx(certificate, servers=[("localhost", http2)]) as server:
        server.file("hello.txt", b"hello, world\n")
        server.file("poem.txt", POEM)
        server.file("large.bin", os.urandom(1 << 20))
        bases = [server.url(""), server.secure("", host="localhost"), f"http://127.0.0.1:{clear}", f"https://localhost:{secret}"]
        print(f"a real server (nginx) on {', '.join(bases)}", flush=True)
        sys.exit(subprocess.run([sys.argv[1], *bases[:2], str(authority.path), *bases[2:]]).returncode)
