"""What worker processes are given to do in these tests."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from parvis.kernel.jobs import JobContext, WorkFailed


def add(context: JobContext) -> dict[str, Any]:
    print("what work prints disturbs nothing")
    context.report(0.5, "adding")
    return {"sum": sum(context.arguments["numbers"]), "tenant": context.tenant, "attempt": context.attempt}


def say_where(context: JobContext) -> dict[str, int]:
    return {"pid": os.getpid(), "niceness": os.nice(0)}


def eat_memory(context: JobContext) -> int:
    eaten = [bytearray(1 << 20) for _ in range(4096)]
    return len(eaten)


def burn(context: JobContext) -> None:
    while True:
        pass


def sleep(context: JobContext) -> None:
    """Notes its process, and one it has started itself."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(context.arguments["note"]).write_text(f"{os.getpid()} {child.pid}")
    context.report(0.25, "sleeping")
    time.sleep(600)


def crash(context: JobContext) -> None:
    os.write(2, b"the solver gave up\n")
    os.abort()


def crash_once(context: JobContext) -> str:
    if context.attempt == 1:
        os.abort()
    return "second time lucky"


def leave_a_child_behind(context: JobContext) -> None:
    """It holds the standard error, and would for minutes."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.abort()


def leave_a_twin_behind(context: JobContext) -> None:
    """It holds the way for answers, too."""
    if os.fork() == 0:
        time.sleep(600)
    os.abort()


def name_a_file(context: JobContext) -> str:
    """As the system gives names that are no UTF-8."""
    context.report(0.5, os.fsdecode(b"caf\xe9"))
    raise WorkFailed(os.fsdecode(b"caf\xe9"))


def give_no_json(context: JobContext) -> object:
    return object()


def refuse(context: JobContext) -> None:
    raise WorkFailed("There is nothing to add.")


def raise_an_error(context: JobContext) -> None:
    raise ValueError("seven is no colour")


def answer_too_much(context: JobContext) -> str:
    return "x" * (2 << 20)


def append(context: JobContext) -> str:
    """Slow enough to be killed in the middle; each attempt leaves its mark."""
    path = Path(context.arguments["path"])
    with path.open("a") as file:
        file.write(f"begun {context.attempt}\n")
    time.sleep(context.arguments["seconds"])
    with path.open("a") as file:
        file.write(f"done {context.attempt}\n")
    return path.read_text()
