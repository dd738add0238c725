"""`make run`: starts nginx on loopback, with a certificate authority made on the spot, and shows the
tour against it."""
import subprocess
import sys

from certificates import Certificates
from tls_servers import SecureNginx

POEM = b"The packet left on Monday,\nthe answer came the same day,\n" * 40

with Certificates() as certificates:
    authority = certificates.authority("Authority of the tour")
    certificate = certificates.issue("localhost", authority, names=("DNS:localhost",))
    with SecureNginx(certificate, servers=[("localhost", "")]) as server:
        server.file("hello.txt", b"hello, world\n")
        server.file("poem.txt", POEM)
        secure = server.secure("", host="localhost")
        print(f"a real server (nginx) on {server.url('')} and {secure}", flush=True)
        sys.exit(subprocess.run([sys.argv[1], server.url(""), secure, str(authority.path)]).returncode)
