#!/usr/bin/env python3
"""A request with a small body on a kept connection costs at most 3 system calls (send, wait,
receive), and at most 2.1 when 16 connections share the wait, by poll and by epoll. Over HTTP/2 a blocking
request costs as many as over HTTP/1.1, and 16 of them in flight less than one each. Needs a tracer; where
tracing is not allowed it says so and checks nothing."""
import sys

from checks import ROOT, check, finish
from counting import per_request, strace_works, system_calls
from servers import Nghttpd, Nginx

HTTP1 = [(3.01, 1, "blocking"), (3.01, 1, "poll"), (2.1, 16, "poll"), (3.01, 1, "epoll"), (2.1, 16, "epoll")]
HTTP2 = [(3.1, 1, "blocking"), (3.1, 1, "poll"), (1.0, 16, "poll"), (1.0, 16, "epoll")]


def calls(url, width, shape, *more):
    return per_request(system_calls, lambda n: [str(ROOT / "build/many_requests"), url, str(n), str(width), shape, *more],
                       400, 2000, tries=3)


def check_server(server, path, limits, *more):
    server.file("small", b"x" * 100)
    for limit, width, shape in limits:
        found = calls(server.url(path), width, shape, *more)
        check(found <= limit, " ".join([f"{limit} system calls per request, {shape}, {width} wide", *more]), found)


def main():
    if not strace_works():
        print("skipped: strace cannot trace here")
        sys.exit(0)
    with Nginx() as server:
        check_server(server, "/whole/small", HTTP1)
    with Nghttpd() as server:
        check_server(server, "/small", HTTP2, "http2")
    finish()


main()
