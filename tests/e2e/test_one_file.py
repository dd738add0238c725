"""Both headers and BearSSL's sources in one C file, for those without a package manager: composed from
Debian's source package, compiled, and used to fetch over HTTPS with no library linked."""
import subprocess
import tempfile
from pathlib import Path

from certificates import Certificates
from checks import ROOT, check, finish
from tls_servers import SecureNginx

PROGRAM = """
#include "turbohttp.h"
#include <stdio.h>
int main(int argc, char **argv) {
    turbohttp_client_desc desc = {0};
    turbohttp_request_desc request = {0};
    turbohttp_response response;
    turbohttp_client *client;
    (void)argc;
    request.url = argv[1];
    desc.tls.ca_file = argv[2];
    if (turbohttp_client_create(&client, &desc) != TURBOHTTP_OK) return 1;
    turbohttp_send(client, &request, &response);
    printf("%d %s", response.status, turbohttp_response_text(&response));
    turbohttp_response_free(&response);
    turbohttp_client_destroy(client);
    return 0;
}
"""


def sh(*command):
    return subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True)


def build(folder, tree):
    (folder / "fetch.c").write_text(PROGRAM)
    made = sh("./amalgamate.py", "--bearssl", tree, "-o", folder / "one.c")
    check(made.returncode == 0, "amalgamate.py --bearssl", made.stderr)
    built = sh("gcc", "-O1", "-I.", folder / "one.c", folder / "fetch.c", "-o", folder / "fetch", "-pthread")
    check(built.returncode == 0 and not built.stderr, "one file compiles without a warning", built.stderr[-2000:])
    check("bearssl" not in sh("ldd", folder / "fetch").stdout, "no BearSSL library is linked")


def fetch(folder):
    with Certificates() as certificates:
        authority = certificates.authority("Authority")
        leaf = certificates.issue("localhost", authority, names=("DNS:localhost",))
        with SecureNginx(leaf, servers=[("localhost", "")]) as server:
            server.file("hello", b"hello over TLS")
            result = sh(folder / "fetch", server.secure("/hello", host="localhost"), authority.path)
            check(result.stdout == "200 hello over TLS", "it fetches over HTTPS", result)


refused = sh("./amalgamate.py", "--bearssl", ROOT / "src", "-o", ROOT / "build/never.c")
check(refused.returncode != 0 and "apt-get source bearssl" in refused.stderr, "another tree is refused, with the remedy", refused)
with tempfile.TemporaryDirectory() as name:
    source = sh("tests/support/bearssl_source.sh", name)
    if source.returncode:
        print("not run: the source package of BearSSL cannot be had here: " + source.stderr[-300:])
    else:
        build(Path(name), Path(name) / "tree")
        fetch(Path(name))
finish()
