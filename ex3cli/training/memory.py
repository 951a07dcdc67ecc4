"""Memory that a training frees and needs again in the next step."""

import ctypes
import sys

KEPT = 32 << 20  # the largest block that every glibc lets its heap hold
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt's names of what it sets: <malloc.h>


def keep_freed_memory() -> bool:
    """Let the process keep the memory that it frees; returns whether it can.

    A step frees every tensor that it makes. glibc gives blocks of that size back to the system, which clears each page anew
    when the next step asks for it: thousands of pages a step, up to a seventh of its time. Other allocators stay as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return set_option is not None and bool(set_option(MMAP_THRESHOLD, KEPT) and set_option(TRIM_THRESHOLD, 1 << 30))
