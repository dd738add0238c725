#!/usr/bin/env python3
"""Differential test of URLs (S-70): for each URL that the library accepts, Python's urllib (RFC 3986
manner) and Node's URL (WHATWG) must see the same host and port; Node also the same target, and for
references the same resolution. What we refuse is not compared: refusing is always safe.

    test_urls.py [count] [seed]      of build/url_batch; Node is used when it is installed
"""
import ipaddress
import json
import random
import shutil
import subprocess
import sys
from urllib.parse import unquote_to_bytes, urlsplit

from checks import ROOT

SCHEMES = ["http", "https", "ws", "wss", "HTTP", "hTTps", "ftp", "file", ""]
HOSTS = ["example.com", "EXAMPLE.com.", "a", "a_b.c", "-a-.b", "xn--bcher-kva.example", "127.0.0.1",
         "1.2.3.4.", "127.1", "0x7f.1", "017700000001", "4294967295", "1.2.3.256", "0x7f.com", "3com",
         "[::1]", "[FE80::1]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:7::]", "[::1%25en0]", "[::g]", "[1::2::3]",
         "[0:0:0:0:0:0:0:1]", "a..b", ".a", "a%2ecom", "%61.com", "a b", "", "a,b", "a~b", "a!b", "a*b",
         "1.1.1.1.com", "a.1", "0.0.0.0", "a.0x", "\u00e9.com"]
USERS = ["", "", "", "u@", "u:p@", "@", ":@", "u%40@", "u;p@", "a:b:c@", "u@v@"]
PORTS = ["", "", "", ":", ":80", ":443", ":8080", ":0", ":65535", ":65536", ":00080", ":8a", ":+80", ": 80"]
PATHS = ["", "/", "/a", "/a/b/../c", "/./a//b/.", "/%2e%2E/x", "/a%2fb", "//evil.com", "/a;b=c", "/|<>^`{}\"",
         "/..", "/a/..", "/a/../..//x/", "/'", "/[x]", "/a@b", "/a:b", "/%zz", "/a\\b", "/a b", "/.%2e", "/..."]
QUERIES = ["", "", "?", "?a=b", "?a?b", "?/../", "?'\"<>", "?[]{}|^`", "?a#b", "#", "#f", "#f?g", "#a#b", "?%41"]
REFERENCES = ["", "g", "./g", "../g", "/g", "//g", "//u@g:81/x", "?y", "#s", "..", ".", "../..", "a/../b/./c",
              "g:h", "a:b", "http:g", "https://x/y/../z", "///x", "//", "\\\\x", "%2e%2e/g", "g;x=1/../y", "/..//x",
              "a//../b", "?", "/.//x", ".//x", "..g", "g..", "/%2e"]
NOISE = list("/?#@:[]\\%. -_~!$&'()*+,;=|<>\"^`{}0129axX\t\r\n\0") + ["%2e", "%00", "..", "//", "0x", "xn--", "é"]

NODE = r"""
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(l => l);
for (const line of lines) {
  const [base, reference] = JSON.parse(line);
  try {
    let u = new URL(base);
    if (reference !== null) u = new URL(reference, u.href);
    console.log(JSON.stringify([u.hostname, u.port, u.pathname + u.search, u.protocol]));
  } catch (e) { console.log('null'); }
}
"""


def pick(rng, values, good):
    """Mostly one of the first `good` values, which are valid alone."""
    return rng.choice(values[:good] if rng.random() < 0.8 else values)


def generate(rng, count):
    for _ in range(count):
        slashes = rng.choice(["://"] * 20 + [":/", ":", ":///", ":\\\\", "//"])
        url = pick(rng, SCHEMES, 6) + slashes + pick(rng, USERS, 8) + pick(rng, HOSTS, 7) + pick(rng, PORTS, 7)
        url += rng.choice(PATHS) + rng.choice(QUERIES)
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
            at = rng.randrange(len(url) + 1)
            url = url[:at] + rng.choice(NOISE + [""]) + url[at + rng.choice([0, 1]):]
        yield url, rng.choice(REFERENCES) if rng.random() < 0.4 else None


def ours(program, cases):
    text = "\n".join(" ".join(part.encode().hex() for part in case if part is not None) +
                     (" " if case[1] == "" else "") for case in cases) + "\n"
    run = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    return [line.split(" ") for line in run.stdout.splitlines()]


def node(cases):
    text = "\n".join(json.dumps(case) for case in cases) + "\n"
    run = subprocess.run(["node", "-e", NODE], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def canonical(host):
    host = host.strip("[]").lower()
    return str(ipaddress.ip_address(host)) if ":" in host else host


def canonical_target(target):
    path, mark, query = target.partition("?")
    return unquote_to_bytes(path), unquote_to_bytes(query)


def compare_urllib(case, host, port):
    split = urlsplit(case[0])
    seen = split.hostname or ""
    seen_port = split.port or {"http": 80, "ws": 80, "https": 443, "wss": 443}[split.scheme]
    return canonical(seen.split("%25")[0]) == canonical(host) and seen_port == port


def leaves_dots(target):
    """Some versions of Node forget dot segments in rare paths such as /a/.x/..//b."""
    return any(s.lower().replace("%2e", ".") in (".", "..") for s in target.split("?")[0].split("/"))


def compare_node(seen, host, port, target):
    default = 443 if seen[3] in ("https:", "wss:") else 80
    return (canonical(seen[0]) == canonical(host) and int(seen[1] or default) == port
            and (leaves_dots(seen[2]) or canonical_target(seen[2]) == canonical_target(target)))


def main():
    program, count = ROOT / "build/url_batch", int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    cases = list(generate(rng, count))
    answers = ours(program, cases)
    assert len(answers) == len(cases), (len(answers), len(cases))
    accepted = [(c, a) for c, a in zip(cases, answers) if a[0] == "OK"]
    browser = node([c for c, _ in accepted]) if shutil.which("node") else None
    failed = 0
    for i, (case, (_, host, port, target)) in enumerate(accepted):
        problems = []
        if case[1] is None and not compare_urllib(case, host, int(port)):
            problems.append("urllib")
        zone_or_punycode = "%25" in case[0].split("]")[0] or "xn--" in (case[0] + str(case[1])).lower()
        if browser and browser[i] is None and not zone_or_punycode:
            problems.append("node refuses")
        if browser and browser[i] and not compare_node(browser[i], host, int(port), target):
            problems.append(f"node says {browser[i]}")
        if problems:
            failed += 1
            print(f"{case!r}: ours {host} {port} {target}: {', '.join(problems)}")
    print(f"{count} URLs, {len(accepted)} accepted, compared with urllib{' and node' if browser else ''}")
    print(f"{len(accepted) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
