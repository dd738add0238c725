"""The device of examples/08: HTTPS in 64 KiB, no malloc, a transport of its own, short records."""
from certificates import Certificates
from checks import check, finish, run
from tls_servers import SecureNginx

with Certificates() as certificates:
    authority, stranger = certificates.authority("Authority"), certificates.authority("Stranger")
    middle = certificates.authority("Middle", authority)
    for kind in ("rsa", "ec"):
        leaf = certificates.issue("device.test", middle, key=kind, names=("DNS:device.test",))
        with SecureNginx(leaf, chain=(middle,), servers=[("device.test", "")]) as server:
            body = server.file("hello.txt", b"hello, device " * 500)
            result = run("08_device_https", "device.test", str(server.tls_port), authority.path)
            check(result.returncode == 0 and result.stdout == body, f"{kind}: a body of many records", result)
            result = run("08_device_https", "device.test", str(server.tls_port), stranger.path)
            check(result.returncode == 1 and b"tls.ca_file" in result.stdout, f"{kind}: a stranger's certificate is refused", result)
            result = run("08_device_https", "other.test", str(server.tls_port), authority.path)
            check(result.returncode == 1 and b"not issued to other.test" in result.stdout, f"{kind}: another name is refused", result)
finish()
