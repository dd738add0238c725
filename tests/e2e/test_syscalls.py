#!/usr/bin/env python3
"""A request with a small body on a kept connection costs at most 3 system calls (send, wait,
receive), and at most 2.1 when 16 connections share the wait, by poll and by epoll. Needs a tracer; where tracing is not
allowed it says so and checks nothing."""
import sys

from checks import ROOT, check, finish
from counting import per_request, strace_works, system_calls
from servers import Nginx


def calls(server, width, shape):
    return per_request(system_calls, lambda n: [str(ROOT / "build/many_requests"), server.url("/small"),
                                                str(n), str(width), shape], 400, 2000, tries=3)


def main():
    if not strace_works():
        print("skipped: strace cannot trace here")
        sys.exit(0)
    with Nginx() as server:
        server.file("small", b"x" * 100)
        for limit, width, shape in [(3.01, 1, "blocking"), (3.01, 1, "poll"), (2.1, 16, "poll"), (3.01, 1, "epoll"), (2.1, 16, "epoll")]:
            found = calls(server, width, shape)
            check(found <= limit, f"{limit} system calls per request, {shape}, {width} wide", found)
    finish()


main()
