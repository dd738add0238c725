"""Checks that go on after a failure, running build/turboget, and the closing line."""
import inspect
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
counts = {"passed": 0, "failed": 0}


def check(condition, what, detail=""):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        test = Path(sys.argv[0]).resolve()
        lines = [f.lineno for f in inspect.stack()[1:] if Path(f.filename).resolve() == test]
        line = " < ".join(map(str, lines[:2]))
        print(f"{Path(sys.argv[0]).name}:{line}: FAILED {what} {str(detail)[:600]}", flush=True)


def run(program, *arguments, timeout=60, **more):
    """A tool of build/, or the build of it that TOOLS names: build/epoll/turboget."""
    program = Path(os.environ.get("TOOLS", "")) / program
    return subprocess.run([str(ROOT / "build" / program), *map(str, arguments)], capture_output=True,
                          timeout=timeout, **more)


def get(*arguments, **more):
    """turboget -sS …; TURBOGET names another build of it."""
    return run(os.environ.get("TURBOGET", "turboget"), "-sS", *arguments, **more)


def expect(code, *arguments, body=None, says=None, **more):
    """Runs turboget and checks its exit code, and perhaps its output and its message."""
    result = get(*arguments, **more)
    what = f"exit {code} for {' '.join(map(str, arguments))[:160]}"
    check(result.returncode == code, what, (result.returncode, result.stderr))
    if body is not None:
        check(result.stdout == body, f"body of {arguments[-1]}", result.stdout[:200])
    if says is not None:
        check(says in result.stderr.decode(), f"message with {says!r}", result.stderr)
    return result


def finish():
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(counts["failed"] != 0)
