"""Counts what a program costs for each request: the difference of two runs of different length
cancels whatever happens once."""
import re
import shutil
import subprocess
import tempfile


def strace_works():
    if not shutil.which("strace"):
        return False
    probe = subprocess.run(["strace", "-f", "-c", "-o", "/dev/null", "true"], capture_output=True)
    return probe.returncode == 0


def system_calls(command):
    """All system calls of all threads of one run."""
    with tempfile.NamedTemporaryFile("r", prefix="turbohttp-") as summary:
        subprocess.run(["strace", "-f", "-c", "-o", summary.name, *command], check=True,
                       stdout=subprocess.DEVNULL)
        total = next(line for line in summary if line.endswith(" total\n"))
        return int(total.split()[3])


def instructions(command):
    """User-mode instructions of one run."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
                         check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1])


def per_request(count, command, short, long, tries=1):
    """`command(n)` is the program that makes n requests. Of several tries the least counts: a server
    that was kept waiting by others makes clients wait more often, and nothing makes them wait less."""
    few, many = (min(count(command(n)) for _ in range(tries)) for n in (short, long))
    return (many - few) / (long - short)
