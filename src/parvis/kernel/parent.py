"""A process that another one started ends with it, also where that one was killed and told nobody."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """In a process of `multiprocessing`. The kernel's own signal would come as soon as the thread ends that started
    this process, which may be one of many."""
    parent = parent_process()
    assert parent is not None, "it was started by another one"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="parvis-parent", daemon=True).start()
