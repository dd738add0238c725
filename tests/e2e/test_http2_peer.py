"""HTTP/2 against python3-h2: a strict parser reads every byte of ours, and its server misbehaves on
purpose, in its own frames and by bytes that it would not send (C2, S-40 to S-48)."""
import sys

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian's python3-h2 lies
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from checks import check, expect, finish, get, run
from servers import Raw

PRIOR = "--http2-prior-knowledge"
OK = [(":status", "200")]
complaints = []


class Peer:
    """One connection: h2's server, which answers each request by `answer(peer, stream, fields, body)`."""

    def __init__(self, connection, answer, settings):
        self.socket, self.answer, self.requests = connection, answer, {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)  # in force from the client's ACK on
        self.flush()

    def flush(self, more=b""):
        self.socket.sendall(self.h2.data_to_send() + more)

    def serve(self):
        while True:
            data = self.socket.recv(65536)
            if not data:
                return
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError as fault:
                complaints.append(fault)
                raise OSError from fault
            for event in events:
                self.on(event)
            self.flush()

    def on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.answer(self, event.stream_id, *self.requests.pop(event.stream_id))
        elif isinstance(event, h2.events.WindowUpdated):
            self.go_on()

    def send(self, stream, fields, body=b"", **more):
        self.h2.send_headers(stream, fields, end_stream=not body)
        self.left = getattr(self, "left", {})
        if body:
            self.left[stream] = body
            self.go_on(**more)

    def go_on(self, step=16384, padding=None):
        for stream, body in list(getattr(self, "left", {}).items()):
            while body:
                room = min(self.h2.local_flow_control_window(stream), step) - (padding + 1 if padding else 0)
                if room <= 0:
                    break
                part, body = body[:room], body[room:]
                self.h2.send_data(stream, part, end_stream=not body, pad_length=padding)
                self.flush()
            self.left[stream] = body
            if not body:
                del self.left[stream]


def server(answer, settings=None):
    return Raw(lambda connection, number: Peer(connection, answer, settings).serve())


def echo(peer, stream, fields, body):
    peer.send(stream, OK + [("content-length", str(len(body))), ("x-method", fields[":method"])], bytes(body))


def well_behaved():
    """What h2 takes is right: heads, bodies of every kind, many at once, small windows and tables."""
    big = bytes(range(32, 256)) * 4500  # -d leaves line ends out
    for settings in (None, {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000},
                     {h2.settings.SettingCodes.HEADER_TABLE_SIZE: 0},
                     {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2}):
        with server(echo, settings) as peer:
            expect(0, PRIOR, "-d", "hello", peer.url(), body=b"hello")
            result = run("turboget", "-sS", PRIOR, "-d", "@-", peer.url(), input=big)
            check(result.stdout == big, f"a megabyte there and back, {settings}", (result.returncode, result.stderr))
            expect(0, PRIOR, "-I", peer.url())
            expect(0, PRIOR, "-H", "X: " + "y" * 20000, "-d", "z", peer.url(), body=b"z")
            result = get(PRIOR, "--parallel", "-w", "<%{http_code}>", *[peer.url("/%d" % i) for i in range(40)])
            check(result.stdout.count(b"<200>") == 40, f"forty at once, {settings}", result)
    check(not complaints, "h2 has nothing to complain about", complaints)


def unusual():
    """Allowed, and rarely seen."""
    def trickle(peer, stream, fields, body):
        peer.send(stream, OK, b"drip" * 50, step=1)

    def padded(peer, stream, fields, body):
        peer.send(stream, OK, b"padded" * 100, padding=200)

    def early_hints(peer, stream, fields, body):
        for _ in range(3):
            peer.h2.send_headers(stream, [(":status", "103"), ("link", "</a>")])
        peer.send(stream, OK, b"late")

    def trailers(peer, stream, fields, body):
        peer.h2.send_headers(stream, OK)
        peer.h2.send_data(stream, b"sum")
        peer.h2.send_headers(stream, [("check", "1")], end_stream=True)

    def priority(peer, stream, fields, body):
        peer.flush(b"\0\0\5\2\0" + stream.to_bytes(4, "big") + b"\0\0\0\0\1")  # deprecated PRIORITY
        peer.flush(b"\0\0\4\xee\0\0\0\0\0what")  # a type that nobody knows
        peer.send(stream, OK, b"fine")

    for answer, body in ((trickle, b"drip" * 50), (padded, b"padded" * 100), (early_hints, b"late"),
                         (trailers, b"sum"), (priority, b"fine")):
        with server(answer) as peer:
            expect(0, PRIOR, peer.url(), body=body)


def misbehaving():
    """Each fault is one clear error with curl's exit code; the next request is served."""
    def head(*fields):
        return lambda peer, stream, request, body: peer.send(stream, list(fields), b"x")

    def raw(data):
        return lambda peer, stream, request, body: (peer.h2.send_headers(stream, OK),
                                                    peer.flush(data.replace(b"SSSS", stream.to_bytes(4, "big"))))

    def push(peer, stream, request, body):
        block = peer.h2.encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")])
        peer.flush((len(block) + 4).to_bytes(3, "big") + b"\5\4" + stream.to_bytes(4, "big") + b"\0\0\0\2" + block)

    def reset(code):
        return lambda peer, stream, request, body: peer.h2.reset_stream(stream, code)

    def half_then_reset(peer, stream, request, body):
        peer.h2.send_headers(stream, OK)
        peer.h2.send_data(stream, b"half")
        peer.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def goaway(peer, stream, request, body):
        peer.h2.send_headers(stream, OK)
        peer.h2.send_data(stream, b"half")
        peer.h2.close_connection(h2.errors.ErrorCodes.INTERNAL_ERROR)
        peer.flush()
        raise OSError

    cases = [
        ("no status", 92, head(("a", "b"))),
        ("two statuses", 92, head((":status", "200"), (":status", "200"))),
        ("status of two digits", 92, head((":status", "20"))),
        ("101", 92, head((":status", "101"))),
        ("late pseudo-header", 92, head(("a", "b"), (":status", "200"))),
        ("pseudo-header of requests", 92, head((":status", "200"), (":path", "/"))),
        ("upper case", 92, head((":status", "200"), ("Server", "x"))),
        ("connection", 92, head((":status", "200"), ("connection", "close"))),
        ("transfer-encoding", 92, head((":status", "200"), ("transfer-encoding", "chunked"))),
        ("NUL in a value", 92, head((":status", "200"), ("a", "b\0c"))),
        ("line end in a value", 92, head((":status", "200"), ("a", "b\r\nc: d"))),
        ("blank in a name", 92, head((":status", "200"), ("a b", "c"))),
        ("length too small", 16, head((":status", "200"), ("content-length", "0"))),
        ("length too large", 18, head((":status", "200"), ("content-length", "2"))),
        ("two lengths", 8, head((":status", "200"), ("content-length", "1"), ("content-length", "2"))),
        ("too many fields", 63, head((":status", "200"), *[("a", "b")] * 300)),
        ("a field too long", 63, head((":status", "200"), ("a", "b" * 30000))),
        ("reset", 92, reset(h2.errors.ErrorCodes.INTERNAL_ERROR)),
        ("cancelled", 92, reset(h2.errors.ErrorCodes.CANCEL)),
        ("refused for ever", 92, reset(h2.errors.ErrorCodes.REFUSED_STREAM)),
        ("half and a reset", 92, half_then_reset),
        ("half and GOAWAY", 18, goaway),
        ("push", 16, push),
        ("padding longer than its frame", 16, raw(b"\0\0\2\0\x08SSSS\5x")),
        ("DATA for nobody", 16, raw(b"\0\0\1\0\0\0\0\0\x63x")),
        ("WINDOW_UPDATE of 0", 16, raw(b"\0\0\4\x08\0\0\0\0\0\0\0\0\0")),
        ("window beyond 2^31-1", 16, raw(b"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff" * 2)),
        ("SETTINGS of 5 bytes", 16, raw(b"\0\0\5\4\0\0\0\0\0abcde")),
        ("PING of 4 bytes", 16, raw(b"\0\0\4\6\0\0\0\0\0abcd")),
        ("CONTINUATION of nothing", 16, raw(b"\0\0\0\x09\4SSSS")),
        ("S_42 a flood of PRIORITY", 16, raw(b"\0\0\5\2\0SSSS\0\0\0\0\1" * 3000)),
        ("S_42 a flood of WINDOW_UPDATE", 16, raw(b"\0\0\4\x08\0\0\0\0\0\0\0\0\1" * 3000)),
    ]
    for name, code, answer in cases:
        with server(answer) as peer:
            result = get(PRIOR, "-m", "10", "-o", "/dev/null", peer.url())
            check(result.returncode == code and result.stderr, f"{name}: exit {code}", result)
    with server(lambda peer, stream, fields, body: (head(("a", "b")) if fields[":path"] == "/bad" else echo)(
            peer, stream, fields, body)) as peer:
        result = get(PRIOR, "-w", "<%{http_code}>", "-d", "x", peer.url("/bad"), peer.url("/good"))
        check(b"x<200>" in result.stdout, "a malformed head ends its stream, not the connection", result)
        check(peer.accepted == 1, "one connection for both", peer.accepted)


well_behaved()
unusual()
misbehaving()
finish()
