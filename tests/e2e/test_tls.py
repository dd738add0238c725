"""HTTPS against openssl's s_server and nginx: who is trusted, who is not, and what is said about it;
versions, suites, ALPN, client certificates, resumption, pins; bodies over TLS. Through build/turboget."""
import os
import random
import re
import shutil
import socket
import subprocess
import traceback

from certificates import CLIENT, SERVER, Certificates, names_as_der, openssl
from checks import check, expect, finish, get
from servers import Raw, answer, free_port, read_head
from tls_servers import OpenSSL, Scripted, SecureNginx

random.seed(11)
NOISE = random.randbytes(10 << 20)
PAST, SOON, NEVER = "20200101000000Z", "20200201000000Z", "20480101000000Z"


class Trust:
    """The certificates that all tests share: two roots, an intermediate, servers of two kinds."""

    def __init__(self, c):
        self.c = c
        self.root = c.authority("Root", key="ec")
        self.other = c.authority("Other root", key="ec")
        self.middle = c.authority("Middle", self.root, key="ec")
        self.ec = c.issue("server.test", self.root, key="ec")
        self.rsa = c.issue("server.test", self.root)
        self.deep = c.issue("server.test", self.middle, key="ec")


def resolve(port, host="server.test", address="127.0.0.1"):
    return ["--resolve", f"{host}:{port}:{address}"]


def try_chain(trust, code, certificate, chain=(), *more, host="server.test", says=None, ca=None, what=""):
    """One fetch from s_server with this chain; without an expected sentence any will do."""
    with OpenSSL(certificate, chain) as server:
        address = ["--resolve", f"{host.rstrip('.').lower()}:{server.port}:127.0.0.1",
                   "--resolve", f"{host.lower()}:{server.port}:127.0.0.1"]
        if re.match(r"[0-9.]+$|\[", host):
            address = []
        result = expect(code, "--cacert", (ca or trust.root).path, *address, *more, "-w", "%{ssl_verify_result}",
                        f"https://{host}:{server.port}/", says=says)
    if code:
        check(len(result.stderr) > 20, f"a sentence is printed {what}", result.stderr)
    return result


# ------------------------------------------------------------------ who it is
def dates(trust):
    issue = trust.c.issue
    expired = issue("server.test", trust.root, key="ec", start=PAST, end=SOON)
    early = issue("server.test", trust.root, key="ec", start=NEVER)
    result = try_chain(trust, 60, expired, says="certificate expired on 2020-02-01")
    check(result.stdout == b"10", "ssl_verify_result of an expired certificate", result.stdout)
    result = try_chain(trust, 60, early, says="is not valid before 2048-01-01")
    check(result.stdout == b"9", "ssl_verify_result of an early certificate", result.stdout)
    old_middle = trust.c.authority("Old middle", trust.root, key="ec", start=PAST, end=SOON)
    below = issue("server.test", old_middle, key="ec")
    try_chain(trust, 60, below, [old_middle], says="an issuer's certificate expired on 2020-02-01")
    late = issue("server.test", trust.root, key="ec", end="20520101000000Z")  # GeneralizedTime
    try_chain(trust, 0, late)
    for fault in (expired, early):
        try_chain(trust, 0, fault, (), "-k", says="warning")


def names(trust):
    def named(*san, **more):
        return trust.c.issue("cn.test", trust.root, key="ec", names=san, **more)

    wrong = try_chain(trust, 60, named("DNS:else.test"), says="certificate was not issued to server.test")
    check(wrong.stdout == b"62", "ssl_verify_result of a wrong host", wrong.stdout)
    wild = named("DNS:*.wild.test")
    for code, host in [(0, "a.wild.test"), (0, "A.WILD.test"), (60, "a.b.wild.test"), (60, "wild.test"), (60, "awild.test"),
                       (0, "a.wild.test."), (60, "a.wild.testx")]:
        try_chain(trust, code, wild, host=host)
    for code, san, host in [
            (60, ["DNS:*.test"], "server.test"), (60, ["DNS:*"], "server.test"), (60, ["DNS:s*.wild.test"], "server.wild.test"),
            (60, ["DNS:a.*.test"], "a.b.test"), (60, ["DNS:*.*.test"], "a.b.test"), (0, ["DNS:SERVER.Test"], "server.test"),
            (0, ["DNS:else.test", "DNS:server.test"], "SERVER.TEST"), (0, ["DNS:server.test"], "server.test."),
            (60, ["DNS:.server.test"], "server.test"), (60, ["email:a@server.test"], "server.test"),
            (60, ["URI:https://server.test/"], "server.test"), (60, ["IP:127.0.0.1"], "server.test"),
            (0, ["IP:127.0.0.1"], "127.0.0.1"), (60, ["IP:127.0.0.2"], "127.0.0.1"), (60, ["DNS:127.0.0.1"], "127.0.0.1"),
            (60, ["DNS:*.0.0.1"], "127.0.0.1"), (60, ["DNS:server.test"], "127.0.0.1"), (60, ["IP:::1"], "127.0.0.1"),
            (60, ["IP:::ffff:127.0.0.1"], "127.0.0.1")]:
        try_chain(trust, code, named(*san), host=host)
    by_number = trust.c.issue("127.0.0.1", trust.root, key="ec", names=("DNS:x.test",))
    try_chain(trust, 60, by_number, host="127.0.0.1")
    by_name = trust.c.issue("server.test", trust.root, key="ec", names=None)
    try_chain(trust, 60, by_name, says="a common name does not count")
    nul = trust.c.issue("cn.test", trust.root, key="ec", names=names_as_der(b"server.test\0.evil.test"))
    try_chain(trust, 60, nul)
    nul = trust.c.issue("cn.test", trust.root, key="ec", names=names_as_der(b"server.test\0"))
    try_chain(trust, 60, nul)
    mixed = trust.c.issue("cn.test", trust.root, key="ec", names=names_as_der(b"x\0y", b"server.test"))
    try_chain(trust, 0, mixed)
    v6 = named("IP:::1")
    if socket.has_ipv6:
        with OpenSSL(v6, address="::1") as server:
            expect(0, "--cacert", trust.root.path, f"https://[::1]:{server.port}/")
        with OpenSSL(named("IP:::2", "DNS:::1"), address="::1") as server:
            expect(60, "--cacert", trust.root.path, f"https://[::1]:{server.port}/")


def trusted(trust):
    c = trust.c
    alone = c.issue("server.test", key="ec")
    result = try_chain(trust, 60, alone, says="certificate is self-signed")
    check(result.stdout == b"20", "ssl_verify_result of a stranger", result.stdout)
    try_chain(trust, 0, alone, ca=alone)
    try_chain(trust, 0, c.issue("server.test"), (), "-k")
    as_ca = c.issue("server.test", key="ec", basic="critical,CA:TRUE")
    try_chain(trust, 0, as_ca, ca=as_ca)
    try_chain(trust, 60, trust.ec, ca=trust.other, says="issuer is unknown")
    twin = c.authority("Root", key="p384")  # the same name, another key
    try_chain(trust, 60, c.issue("server.test", twin, key="ec"))
    both = c.file("both.pem", twin, trust.root)
    with OpenSSL(trust.ec) as server:
        expect(0, "--cacert", both, *resolve(server.port), f"https://server.test:{server.port}/")
    try_chain(trust, 60, trust.ec, [trust.other], ca=trust.other)
    try_chain(trust, 60, trust.ec, [trust.root], ca=trust.other)
    deep = trust.deep
    try_chain(trust, 60, deep, says="the server left it out")
    for chain in ([trust.middle], [trust.middle, trust.root], [trust.root, trust.middle], [trust.other, trust.middle],
                  [deep, trust.middle], [deep, deep, trust.middle, trust.middle], [trust.middle, trust.other, trust.rsa]):
        try_chain(trust, 0, deep, chain)
    try_chain(trust, 0, deep, [trust.middle], ca=trust.middle)  # an intermediate as the anchor
    try_chain(trust, 0, deep, ca=trust.middle)
    try_chain(trust, 0, deep, [trust.middle] + [trust.other] * 14)
    try_chain(trust, 60, deep, [trust.middle] + [trust.other] * 16, says="too long")
    line = [trust.root]
    for i in range(8):
        line.append(c.authority(f"Step {i}", line[-1], key="ec"))
    last = c.issue("server.test", line[-1], key="ec")
    try_chain(trust, 0, last, line[:0:-1])
    steps = line[1:]
    random.shuffle(steps)
    try_chain(trust, 0, last, steps)
    line += [c.authority(f"Step {i}", line[-1], key="ec") for i in range(8, 9)]
    line += [c.authority("Step 9", line[-1], key="ec")]
    try_chain(trust, 60, c.issue("server.test", line[-1], key="ec"), line[:0:-1])
    loop = c.authority("Loop", key="ec")
    try_chain(trust, 60, c.issue("server.test", loop, key="ec"), [loop])


def authorities(trust):
    c = trust.c
    false_ca = c.issue("False CA", trust.root, key="ec", names=None)
    try_chain(trust, 60, c.issue("server.test", false_ca, key="ec"), [false_ca])
    try_chain(trust, 60, c.issue("server.test", trust.ec, key="p384"), [trust.ec])
    no_sign = c.authority("No signer", trust.root, key="ec", extra=["keyUsage=critical,digitalSignature"])
    try_chain(trust, 60, c.issue("server.test", no_sign, key="ec"), [no_sign])
    short = c.authority("Short", trust.root, key="ec", path_length=0)
    longer = c.authority("Longer", short, key="ec")
    try_chain(trust, 0, c.issue("server.test", short, key="ec"), [short])
    try_chain(trust, 60, c.issue("server.test", longer, key="ec"), [longer, short])
    forged = c.issue("server.test", c.authority("Middle", key="p384"), key="ec")  # the right name, the wrong key
    try_chain(trust, 60, forged, [trust.middle])


def usages(trust):
    for bits in ("digitalSignature", "critical,digitalSignature,keyEncipherment"):  # others s_server does not serve
        try_chain(trust, 0, trust.c.issue("server.test", trust.root, key="ec", extra=[f"keyUsage={bits}"]))
    def used(*extra):
        return trust.c.issue("server.test", trust.root, key="ec", extra=extra)

    result = try_chain(trust, 60, used(f"extendedKeyUsage={CLIENT}"), says="not meant to identify a server")
    check(result.stdout == b"26", "ssl_verify_result of a wrong usage", result.stdout)
    try_chain(trust, 60, used("extendedKeyUsage=codeSigning,emailProtection"))
    for good in (SERVER, f"{CLIENT},{SERVER}", "anyExtendedKeyUsage"):
        try_chain(trust, 0, used(f"extendedKeyUsage={good}"))
    try_chain(trust, 0, used("keyUsage=critical,digitalSignature", f"extendedKeyUsage={SERVER}"))
    try_chain(trust, 60, used("1.2.3.4.5=critical,DER:05:00"), says="not supported")
    try_chain(trust, 0, used("1.2.3.4.5=DER:05:00"))


def constraints(trust):
    def constrained(code, line, *san, host="server.test"):
        ca = trust.c.authority("Constrained", trust.root, key="ec", extra=[f"nameConstraints={line}"])
        leaf = trust.c.issue("server.test", ca, key="ec", names=san or ("DNS:server.test",))
        try_chain(trust, code, leaf, [ca], host=host, what=line)

    constrained(0, "permitted;DNS:server.test")
    constrained(0, "permitted;DNS:test")
    constrained(0, "permitted;DNS:.test")
    constrained(0, "permitted;DNS:else.test,permitted;DNS:TEST")
    constrained(0, "excluded;DNS:else.test")
    constrained(0, "excluded;DNS:erver.test")
    constrained(60, "permitted;DNS:else.test")
    constrained(60, "permitted;DNS:erver.test")
    constrained(60, "excluded;DNS:test")
    constrained(60, "excluded;DNS:server.test")
    constrained(60, "permitted;DNS:test,excluded;DNS:server.test")
    constrained(60, "permitted;DNS:server.test", "DNS:server.test", "DNS:else.test")
    constrained(60, "excluded;DNS:bad.wild.test", "DNS:*.wild.test", host="bad.wild.test")
    constrained(60, "permitted;DNS:good.wild.test", "DNS:*.wild.test", host="bad.wild.test")
    constrained(0, "permitted;IP:127.0.0.0/255.0.0.0", "IP:127.0.0.1", host="127.0.0.1")
    constrained(60, "permitted;IP:10.0.0.0/255.0.0.0", "IP:127.0.0.1", host="127.0.0.1")
    constrained(60, "excluded;IP:127.0.0.0/255.255.255.0", "IP:127.0.0.1", host="127.0.0.1")
    constrained(60, "permitted;dirName:somewhere\n[somewhere]\nCN=else.test")
    constrained(60, "excluded;dirName:somewhere\n[somewhere]\nCN=server.test")
    constrained(0, "permitted;dirName:somewhere\n[somewhere]\nCN=server.test")
    constrained(60, "critical,permitted;DNS:else.test")
    constrained(60, "critical,permitted;DNS:test")  # BearSSL refuses what it does not understand


def strength(trust):
    c, issue = trust.c, trust.c.issue
    for key in ("rsa", "rsa3072", "rsa4096", "ec", "p384", "p521"):
        try_chain(trust, 0, issue("server.test", trust.root, key=key))
        ca = c.authority(f"CA {key}", key=key)
        try_chain(trust, 0, issue("server.test", ca, key="ec"), ca=ca)
    for digest in ("sha384", "sha512"):
        try_chain(trust, 0, issue("server.test", trust.root, key="ec", digest=digest))
    weak = try_chain(trust, 60, issue("server.test", trust.root, key="rsa1024"), says="too weak")
    check(weak.stdout == b"66", "ssl_verify_result of a weak key", weak.stdout)
    sha1 = try_chain(trust, 60, issue("server.test", trust.root, key="ec", digest="sha1"), says="too weak")
    check(sha1.stdout == b"66", "ssl_verify_result of a weak signature", sha1.stdout)
    rsa_root = c.authority("RSA root")
    try_chain(trust, 60, issue("server.test", rsa_root, digest="sha1"), ca=rsa_root, says="too weak")
    try_chain(trust, 60, issue("server.test", rsa_root, digest="md5"), ca=rsa_root, says="too weak")
    sha1_middle = c.authority("SHA-1 middle", trust.root, key="ec", digest="sha1")
    try_chain(trust, 60, issue("server.test", sha1_middle, key="ec"), [sha1_middle], says="too weak")
    weak_middle = c.authority("Weak middle", trust.root, key="rsa1024")
    try_chain(trust, 60, issue("server.test", weak_middle, key="ec"), [weak_middle], says="too weak")
    sha1_root = c.authority("SHA-1 root", key="ec", digest="sha1")  # what signs itself need not be strong
    try_chain(trust, 0, issue("server.test", sha1_root, key="ec"), [sha1_root], ca=sha1_root)
    with OpenSSL(issue("server.test", trust.root, key="ed25519")) as server:
        expect(35, "--cacert", trust.root.path, *resolve(server.port), f"https://server.test:{server.port}/")


# ------------------------------------------------------------------ what is spoken
def protocol(trust):
    def spoken(code, *arguments, certificate=None, says=None, options=(), page=None):
        with OpenSSL(certificate or trust.ec, (), *arguments) as server:
            result = expect(code, "--cacert", trust.root.path, *resolve(server.port), *options,
                            f"https://server.test:{server.port}/", says=says)
        if page:
            check(page.encode() in result.stdout, f"the server's page says {page}", result.stdout[:400])

    for version in ("-tls1", "-tls1_1"):
        spoken(35, version, says="TLS 1.2")
    spoken(35, "-tls1_3", says="TLS 1.3")
    spoken(0, "-tls1_2", page="TLSv1.2")
    spoken(0, page="TLSv1.2")
    spoken(0, options=["--tls-max", "1.2"])
    spoken(0, options=["--tlsv1.2", "--tls-max", "1.3"])
    spoken(35, options=["--tlsv1.3"], says="1.3")
    spoken(35, options=["--tls-max", "1.1"])
    for kind, certificate in (("ECDSA", trust.ec), ("RSA", trust.rsa)):
        for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"):
            spoken(0, "-cipher", f"ECDHE-{kind}-{suite}", certificate=certificate, page=f"ECDHE-{kind}-{suite}")
        for suite in (f"ECDHE-{kind}-AES128-SHA:@SECLEVEL=0", f"ECDHE-{kind}-AES256-SHA384"):
            spoken(35, "-tls1_2", "-cipher", suite, certificate=certificate, says="cipher suite")
    for suite in ("AES128-GCM-SHA256", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"):
        spoken(35, "-tls1_2", "-cipher", suite, certificate=trust.rsa)
    for curve in ("P-256", "P-384", "P-521", "X25519"):
        spoken(0, "-curves", curve)
    spoken(0, "-alpn", "http/1.1")
    spoken(0, "-alpn", "h2,http/1.1", options=["--http1.1"])  # it would promise h2, and not speak it
    spoken(35, "-alpn", "h2", options=["--http1.1"], says="ALPN")
    spoken(0, "-servername", "server.test", "-cert2", trust.ec.path, "-key2", trust.ec.key)
    spoken(35, "-servername", "else.test", "-servername_fatal", "-cert2", trust.ec.path, "-key2", trust.ec.key)


def wrong_ports(trust):
    with Raw(lambda c, _: read_head(c)) as waiting:  # it waits for the end of a head that never comes
        expect(28, "-m", 1, "--cacert", trust.root.path, f"https://127.0.0.1:{waiting.port}/", says="phase tls")

    def at_once(connection, _):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.recv(65536)

    with Raw(at_once) as plain:
        expect(35, "-m", 5, "--cacert", trust.root.path, f"https://127.0.0.1:{plain.port}/", says="plain HTTP")
    with Raw(lambda c, _: None) as silent:
        expect(35, "-m", 5, "--cacert", trust.root.path, f"https://127.0.0.1:{silent.port}/", says="TLS")
    with OpenSSL(trust.ec) as server:
        result = get("-m", 5, f"http://127.0.0.1:{server.port}/")
        check(result.returncode in (8, 52, 56), "http:// on a TLS port", (result.returncode, result.stderr))
    expect(7, "--cacert", trust.root.path, f"https://127.0.0.1:{free_port()}/")


# ------------------------------------------------------------------ who we are
def client_certificates(trust):
    c = trust.c
    clients = c.authority("Clients", key="ec")
    rsa, ec = (c.issue(f"client {k}", clients, key=k, names=None, extra=[f"extendedKeyUsage={CLIENT}"]) for k in ("rsa", "ec"))
    stranger = c.issue("stranger", trust.other, key="ec", names=None)
    expired = c.issue("client old", clients, key="ec", names=None, start=PAST, end=SOON)
    pkcs8, sec1, old_rsa, locked, locked_old = (c.folder / f"{n}.pem" for n in ("pkcs8", "sec1", "old", "locked", "locked1"))
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", ec.key, "-out", pkcs8)
    openssl("ec", "-in", ec.key, "-out", sec1)
    openssl("rsa", "-in", rsa.key, "-traditional", "-out", old_rsa)
    openssl("pkcs8", "-topk8", "-in", ec.key, "-passout", "pass:secret", "-out", locked)
    openssl("rsa", "-in", rsa.key, "-traditional", "-aes128", "-passout", "pass:secret", "-out", locked_old)
    der, key_der = c.folder / "client.der", c.folder / "client-key.der"
    der.write_bytes(ec.der())
    openssl("ec", "-in", ec.key, "-outform", "DER", "-out", key_der)
    both, garbage = c.file("both-client.pem", ec, ec.key), c.file("garbage.pem")
    garbage.write_text("no certificate at all\n")
    huge = c.folder / "huge.pem"
    huge.write_text("x" * 100_000)

    def used(code, *options, says=None, page=None, verify="-Verify"):
        with OpenSSL(trust.ec, (), verify, 3, "-CAfile", clients.path, "-verify_return_error") as server:
            result = expect(code, "-m", 10, "--cacert", trust.root.path, *resolve(server.port), *options,
                            f"https://server.test:{server.port}/", says=says)
        if page:
            check(re.search(page.encode(), result.stdout), f"the server knows us as {page}", result.stdout[-1500:])

    for certificate, key in ((rsa, rsa.key), (ec, ec.key), (ec, pkcs8), (ec, sec1), (rsa, old_rsa)):
        used(0, "--cert", certificate.path, "--key", key, page="CN ?= ?client")
    used(0, "--cert", both, page="CN ?= ?client ec")
    used(0, "--cert", der, "--key", key_der, page="CN ?= ?client ec")
    used(35, says="client certificate")  # required and not given
    used(0, verify="-verify")  # asked for, not required
    used(35, "--cert", stranger.path, "--key", stranger.key, says="does not trust the client certificate")
    used(35, "--cert", expired.path, "--key", expired.key, says="client certificate")
    used(58, "--cert", ec.path, "--key", locked, says="not encrypted")
    used(58, "--cert", rsa.path, "--key", locked_old, says="not encrypted")
    used(58, "--cert", ec.path, "--key", garbage, says="garbage.pem")
    used(58, "--cert", garbage, "--key", ec.key, says="there is no certificate in")
    used(58, "--cert", huge, "--key", ec.key)
    used(58, "--cert", c.folder / "missing.pem", "--key", ec.key, says="cannot read the certificate")
    used(58, "--cert", ec.path, "--key", c.folder / "missing.pem", says="cannot read the key")
    used(58, "--cert", ec.path, says="private key")  # no key in it
    used(58, "--cert", c.folder, "--key", ec.key)
    used(58, "--cert", ec.path, "--key", rsa.key, says="does not belong")
    result = get("--cert", ec.path, "--key", ec.path, "https://127.0.0.1:1/")
    secret = ec.key.read_text().splitlines()[2]
    check(result.returncode == 58 and secret.encode() not in result.stderr, "no key in a message", result.stderr)


def roots_and_pins(trust):
    c = trust.c
    der = c.folder / "root.der"
    der.write_bytes(trust.root.der())
    two_der = c.folder / "two.der"
    two_der.write_bytes(trust.other.der() + trust.root.der())
    folder, empty = c.folder / "capath", c.folder / "empty"
    folder.mkdir(), empty.mkdir()
    for i, ca in enumerate((trust.other, trust.root, c.authority("Root", key="p384"))):
        shutil.copy(ca.path, folder / f"{i}.pem")
    openssl("rehash", folder)
    text = c.folder / "text.pem"
    text.write_text("# a comment\r\n" + "x" * 20_000 + "\n" + trust.other.pem() + "between\n" +
                    trust.root.pem().replace("\n", "\r\n"))
    cut = c.folder / "cut.pem"
    cut.write_text(trust.root.pem()[:-30])
    hidden = c.file("hidden.pem", trust.root)
    name = c.authority("Müller  & Söhne   AG", key="ec")
    named = c.issue("server.test", name, key="ec")
    shutil.copy(name.path, folder / "9.pem")
    openssl("rehash", folder)
    with OpenSSL(trust.ec) as server, OpenSSL(named) as second:
        url = f"https://server.test:{server.port}/"
        at = resolve(server.port)
        for good in (["--cacert", der], ["--cacert", two_der], ["--cacert", text], ["--capath", folder],
                     ["--cacert", trust.other.path, "--capath", folder]):
            expect(0, *good, *at, url)
        expect(0, "--capath", folder, *resolve(second.port), f"https://server.test:{second.port}/")
        expect(60, "--capath", empty, *at, url)
        expect(60, *at, url)  # the system's roots, if there are any
        expect(77, "--cacert", c.folder / "missing.pem", *at, url, says="missing.pem")
        expect(77, "--cacert", cut, *at, url, says="no certificate could be read")
        expect(77, "--cacert", c.folder, *at, url)
        expect(77, "--cacert", "/dev/null", *at, url)
        expect(77, "--cacert", trust.root.key, *at, url)
        if os.getuid():
            os.chmod(hidden, 0)
            expect(77, "--cacert", hidden, *at, url)
        pin, wrong = trust.ec.pin(), trust.root.pin()
        ca = ["--cacert", trust.root.path, *at]
        expect(0, *ca, "--pinnedpubkey", pin, url)
        expect(0, *ca, "--pinnedpubkey", f"{wrong};{pin}", url)
        expect(0, *ca, "--pinnedpubkey", f"{pin};{wrong}", url)
        expect(90, *ca, "--pinnedpubkey", wrong, url, says="none of the pinned ones")  # of the issuer, not of the server
        expect(90, *ca, "--pinnedpubkey", f"{wrong};{trust.rsa.pin()}", url)
        expect(60, *at, "--cacert", trust.other.path, "--pinnedpubkey", pin, url)  # a pin does not replace trust
        expect(90, *at, "-k", "--pinnedpubkey", wrong, url)  # and -k does not replace a pin
        expect(0, *at, "-k", "--pinnedpubkey", pin, url)
        for bad in ("sha256//", "sha256//AAAA", pin[:-1], pin + "=", "sha1//" + pin[8:], pin.replace("sha256//", ""), ";", pin + ";x"):
            check(get(*ca, "--pinnedpubkey", bad, url).returncode not in (0, 60), f"malformed pin {bad}")
        result = expect(0, *at, "-k", "-w", "%{num_connects}", "-o", os.devnull, "-o", os.devnull, url, url, says="warning")
        check(result.stdout == b"11", "an unverified connection is not kept", result.stdout)


# ------------------------------------------------------------------ sessions and connections
def lines_of(result, name):
    return [l.split(b": ", 1)[1].decode() for l in result.stdout.split(b"\r\n") if l.lower().startswith(name.lower().encode() + b": ")]


def resumption(trust):
    c = trust.c
    leaf = c.issue("server.test", trust.root, key="ec", names=("DNS:server.test", "DNS:other.test"))
    client = c.issue("client", trust.other, key="ec", names=None)
    both = c.file("resumption.pem", trust.root, trust.other)
    more = f"ssl_verify_client optional; ssl_client_certificate {trust.other.path};"
    with SecureNginx(leaf, servers=[("server.test other.test", more)]) as server:
        server.file("a", b"hello")
        hosts = [*resolve(server.tls_port), *resolve(server.tls_port, "other.test")]
        ca = ["--cacert", trust.root.path, *hosts]
        url, other = server.secure("/close/a"), server.secure("/close/a", "other.test")

        def reused(*arguments):
            result = expect(0, "-i", "-w", "<%{ssl_session_reused}>", *arguments)
            seen = "".join("r" if x == "r" else "." for x in lines_of(result, "X-Reused"))
            ours = "".join("r" if x == "1" else "." for x in re.findall(r"<(\d)>", result.stdout.decode()))
            check(ours == seen, "client and server agree about the resumption", (ours, seen))
            return seen

        check(reused(*ca, url, url, url) == ".rr", "the second connection is resumed")
        check(reused(*ca, url, other, url, other) == "..rr", "a session is for one host name")
        check(reused(*ca, "--no-sessionid", url, url) == "..", "--no-sessionid")
        check(reused("-k", *hosts, url, url) in ("..", ".r"), "-k", "")
        check(reused("--cacert", both, *hosts, "--cert", client.path, "--key", client.key, url, url) == ".r", "with a certificate")
        result = expect(0, "-i", *ca, "--cert", client.path, "--key", client.key, url)
        check(lines_of(result, "X-Client") == ["CN=client"], "nginx knows us", result.stdout)
        result = expect(0, "-i", *ca, "--pinnedpubkey", leaf.pin(), url, url)
        check(len(lines_of(result, "X-Reused")) == 2, "resumed under a pin")
        said = expect(0, *ca, "-i", "-w", "%{num_connects}", *[server.secure("/a")] * 5)
        check(len(set(lines_of(said, "X-Connection"))) == 1, "five requests over one connection")
        check(lines_of(said, "X-Name") == ["server.test"] * 5, "SNI is the host")
        check(lines_of(said, "X-ALPN") == ["http/1.1"] * 5, "ALPN is http/1.1")
        result = expect(0, "-i", "--cacert", trust.root.path, *hosts,
                        f"https://server.test.:{server.tls_port}/a")
        check(lines_of(result, "X-Name") == ["server.test"], "SNI has no trailing dot", result.stdout[:300])
    numbered = c.issue("x", trust.root, key="ec", names=("IP:127.0.0.1",))
    with SecureNginx(numbered) as server:
        server.file("a", b"hello")
        result = expect(0, "-i", "--cacert", trust.root.path, server.secure("/a", "127.0.0.1"))
        check(lines_of(result, "X-Name") in ([], [""]), "an address is not sent as a name", result.stdout[:300])


def bodies(trust):
    for certificate in (trust.ec, trust.rsa):
        with SecureNginx(certificate) as server:
            small, noise = server.file("small", b"hello\n"), server.file("noise", NOISE)
            text = server.file("text", b"a line that compresses\n" * 20000)
            zero, record = server.file("zero", b""), server.file("record", NOISE[:16384])
            ca = ["--cacert", trust.root.path, *resolve(server.tls_port)]
            for name, body in (("small", small), ("noise", noise), ("text", text), ("zero", zero), ("record", record)):
                expect(0, *ca, server.secure(f"/{name}"), body=body)
                expect(0, *ca, server.secure(f"/close/{name}"), body=body)
            expect(0, *ca, "--http1.0", server.secure("/noise"), body=noise)
            expect(0, *ca, "--compressed", server.secure("/gzip/text"), body=text)
            expect(0, *ca, *[server.secure(p) for p in ("/small", "/noise", "/zero", "/text", "/small")],
                   body=small + noise + zero + text + small)
            expect(0, *ca, "--data-binary", f"@{server.root}/noise", server.secure("/echo"), body=noise)
            expect(0, *ca, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{server.root}/record", server.secure("/echo"),
                   body=record)
            expect(0, *ca, "-d", "a=b", server.secure("/echo"), server.secure("/echo"), body=b"a=ba=b")
            expect(22, *ca, "-f", server.secure("/missing"), says="404")
            head = expect(0, *ca, "-I", server.secure("/small")).stdout
            check(b"X-Cipher: ECDHE-" in head and b"GCM" in head or b"CHACHA20" in head, "a strong suite", head)


def ends(trust):
    """How a body that lasts until close may end (S-36)."""
    folder = trust.c.folder

    def ended(code, behave, body=None, says=None):
        with Scripted(behave, trust.ec, folder=folder) as server:
            result = expect(code, "-m", 10, "--cacert", trust.root.path, *resolve(server.port),
                            f"https://server.test:{server.port}/", says=says)
            if body is not None:
                check(result.stdout == body, "the body", result.stdout[:100])

    head, big = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", NOISE[:300_000]

    def said(*parts, notify, length=None, is_reset=False):
        def behave(connection, _):
            read_head(connection)
            connection.sendall((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length if length is not None else head))
            for part in parts:
                connection.sendall(part)
            if notify:
                connection.unwrap()
            else:
                if is_reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                else:
                    connection.shutdown(socket.SHUT_RDWR)
        return behave

    ended(0, said(b"all of it", notify=True), body=b"all of it")
    ended(0, said(big, notify=True), body=big)
    ended(0, said(notify=True), body=b"")
    ended(56, said(b"perhaps not all", notify=False), says="close_notify")
    ended(56, said(big, notify=False), says="close_notify")
    ended(56, said(notify=False), says="close_notify")
    ended(0, said(b"framed", notify=False, length=6), body=b"framed")  # its own length says that it is complete
    ended(18, said(b"fram", notify=False, length=6))
    ended(18, said(b"fram", notify=True, length=6))
    ended(52, lambda c, _: (read_head(c), c.unwrap()))
    with Scripted(lambda c, _: (read_head(c), c.sendall(answer(b"late") + b"HTTP/1.1 200 OK\r\n")), trust.ec,
                  folder=folder) as server:
        result = get("-m", 10, "--cacert", trust.root.path, *resolve(server.port), "-w", "%{num_connects}",
                     f"https://server.test:{server.port}/", f"https://server.test:{server.port}/")
        check(result.stdout in (b"late1late1",), "a stray response ends the connection", (result.stdout, result.stderr))


def compared_with_curl(trust):
    """Exit codes are curl's, where it is installed."""
    if not shutil.which("curl"):
        return
    expired = trust.c.issue("server.test", trust.root, key="ec", start=PAST, end=SOON)
    with OpenSSL(trust.ec) as good, OpenSSL(expired) as bad, OpenSSL(trust.ec, (), "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA") as old:
        ca = ["--cacert", trust.root.path]
        for server, options in ((good, ca), (bad, ca), (good, ["--cacert", trust.other.path]), (good, ["--cacert", "/no/file"]),
                                (good, [*ca, "--pinnedpubkey", trust.root.pin()]), (good, [*ca, "--cert", "/no/file"]),
                                (bad, ["-k"]), (good, [*ca, "--pinnedpubkey", trust.ec.pin()])):
            arguments = [*map(str, options), *resolve(server.port), f"https://server.test:{server.port}/"]
            theirs = subprocess.run(["curl", "-sS", "--noproxy", "*", *arguments], capture_output=True).returncode
            ours = get(*arguments).returncode
            check(ours == theirs, f"exit code of curl for {arguments}", (ours, theirs))


with Certificates() as made:
    shared = Trust(made)
    for test in (dates, names, trusted, authorities, usages, constraints, strength, protocol, wrong_ports, client_certificates,
                 roots_and_pins, resumption, bodies, ends, compared_with_curl):
        try:
            test(shared)
        except Exception as e:  # one group must not hide the others
            traceback.print_exc()
            check(False, f"{test.__name__} ran to its end", e)
finish()
