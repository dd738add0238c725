"""`make run`: starts nginx on loopback and shows the tour against it."""
import subprocess
import sys

from servers import Nginx

POEM = b"The packet left on Monday,\nthe answer came the same day,\n" * 40

with Nginx() as server:
    server.file("hello.txt", b"hello, world\n")
    server.file("poem.txt", POEM)
    print(f"a real server (nginx) on {server.url('')}", flush=True)
    sys.exit(subprocess.run([sys.argv[1], server.url("")]).returncode)
