"""Real servers and a misbehaving one, each on a port of its own choice on loopback, for tests and
for the tour. Every server is a context manager; everything it writes lies in a temporary folder."""
import itertools
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path


def ports_for_servers():
    """Ports that the system does not give to outgoing connections: nobody takes one by chance between the
    question and its use. Each is handed out once in a process."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        lowest, highest = map(int, f.read().split())
    ports = [*range(10240, lowest), *range(highest + 1, 65536)]
    if len(ports) < 1000:  # a system that gives nearly all of them
        ports = range(10240, 65536)
    start = random.randrange(len(ports))
    yield from itertools.chain(ports[start:], ports[:start])


PORTS = ports_for_servers()


def free_port():
    """A port of loopback that nobody has, for TCP and UDP."""
    for port in PORTS:
        try:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            return port
        except OSError:
            pass  # taken: the next one
    raise RuntimeError("no free port on loopback")


def wait_for_port(port, process, seconds=60, address="127.0.0.1"):
    """Connects until the server accepts; the only waiting that a real server needs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            socket.create_connection((address, port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"no server on port {port}")


def silent_host(address="127.0.0.1", port=0):
    """A listener whose queue is full drops every further SYN: a host that never answers. Returns its port,
    and the sockets that keep it so."""
    listener = socket.socket()
    listener.bind((address, port))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for s in fillers:
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
    return listener.getsockname()[1], [listener, *fillers]


class Process:
    """A server process in the foreground with a folder of its own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="turbohttp-"))
        self.port = free_port()
        self.root = self.folder / "www"
        self.root.mkdir()
        self.process = None

    def __enter__(self):
        for path in (self.folder, self.root):
            os.chmod(path, 0o755)
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "stderr.txt", "wb"))
        wait_for_port(self.port, self.process)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def file(self, name, data):
        (self.root / name).write_bytes(data)
        os.chmod(self.root / name, 0o644)
        return data


class Nginx(Process):
    """nginx: files (under /whole/ head and body leave in one piece), gzip, /echo (the request body
    back), a Unix socket, keep-alive without end."""

    def command(self):
        module = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
        self.socket = self.folder / "nginx.socket"
        echo = "location /echo { client_max_body_size 64m; echo_read_request_body; echo_request_body; }"
        text = f"""
            {f'load_module {module};' if module.exists() else ''}
            {'user root;' if os.getuid() == 0 else ''}
            worker_processes 1; daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; keepalive_requests 1000000000; default_type text/plain; sendfile on;
                client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/p;
                fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                server {{
                    listen 127.0.0.1:{self.port}; listen unix:{self.socket}; root {self.root};
                    location / {{ }}
                    location /whole/ {{ alias {self.root}/; sendfile off; }}
                    location /gzip/ {{ alias {self.root}/; gzip on; gzip_types *; gzip_min_length 1; }}
                    location /close/ {{ alias {self.root}/; keepalive_timeout 0; }}
                    location /redirect {{ return 302 /elsewhere; }}
                    location /empty {{ return 204; }}
                    {echo if module.exists() else ''}
                }}
            }}"""
        conf = self.folder / "nginx.conf"
        conf.write_text(text)
        return ["nginx", "-c", str(conf), "-p", str(self.folder)]


class Apache(Process):
    """Apache: another implementation of the same protocol; files, deflate, HTTP/1.0 answers."""

    def command(self):
        modules = "/usr/lib/apache2/modules"
        conf = self.folder / "apache.conf"
        conf.write_text(f"""
            ServerRoot {self.folder}
            ServerName 127.0.0.1
            PidFile {self.folder}/pid
            ErrorLog {self.folder}/error.log
            LoadModule mpm_event_module {modules}/mod_mpm_event.so
            LoadModule authz_core_module {modules}/mod_authz_core.so
            LoadModule deflate_module {modules}/mod_deflate.so
            LoadModule filter_module {modules}/mod_filter.so
            LoadModule alias_module {modules}/mod_alias.so
            LoadModule env_module {modules}/mod_env.so
            LoadModule setenvif_module {modules}/mod_setenvif.so
            Listen 127.0.0.1:{self.port}
            DocumentRoot {self.root}
            KeepAlive On
            MaxKeepAliveRequests 0
            {'User www-data' if os.getuid() == 0 else ''}
            {'Group www-data' if os.getuid() == 0 else ''}
            <Directory />
                Require all granted
            </Directory>
            Alias /gzip {self.root}
            <Location /gzip>
                SetOutputFilter DEFLATE
            </Location>
            """)
        return ["apache2", "-f", str(conf), "-DFOREGROUND"]


class Nghttpd(Process):
    """nghttpd: HTTP/2 alone, cleartext or with a certificate; --echo-upload gives the body of a POST back."""

    def __init__(self, certificate=None, *arguments):
        super().__init__()
        self.certificate, self.arguments = certificate, arguments

    def command(self):
        files = [self.certificate.key, self.certificate.path] if self.certificate else []
        tls = [] if self.certificate else ["--no-tls"]
        return ["nghttpd", *tls, "--echo-upload", *self.arguments, "-d", str(self.root), str(self.port), *map(str, files)]

    def secure(self, path="/", host="server.test"):
        return f"https://{host}:{self.port}{path}"


class Raw:
    """A server that does exactly what a function says: `behave(connection, number)` gets each
    accepted socket in a thread of its own."""

    def __init__(self, behave, family=socket.AF_INET, address="127.0.0.1"):
        self.behave, self.accepted, self.handlers = behave, 0, []
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.is_open = True

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        """The thread must be gone before the descriptor's number is used again."""
        self.is_open = False
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def serve(self):
        while self.is_open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            number, self.accepted = self.accepted, self.accepted + 1
            self.handlers.append(threading.Thread(target=self.handle, args=(connection, number), daemon=True))
            self.handlers[-1].start()

    def settle(self):
        """Waits for the end of every connection: what `behave` noted after its answer is there then."""
        for handler in self.handlers:
            handler.join(20)

    def handle(self, connection, number):
        try:
            with connection:
                try:
                    self.behave(connection, number)
                finally:
                    leave(connection)
        except OSError:
            pass  # the client went away: often what the test is about

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"


def read_head(connection):
    """One request head, up to and with its empty line; b"" when the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        if not got:
            return b""
        data += got
    return data


def leave(connection):
    """Ends with FIN and waits until the client ends, too: bytes that nobody read would make the close a
    reset, and a reset takes from the client what it has not read yet."""
    connection.settimeout(10)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def answer(body=b"ok", headers=b"", status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n" + headers + b"\r\n" + body
