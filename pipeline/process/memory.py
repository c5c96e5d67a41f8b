"""Python's collector and C's allocator, set for a process that turns over batches of records.

By default the collector looks for reference cycles after every 700 objects that outlive others,
and each record that aiokafka unpacks is three: with the worker's modules and columns to walk
through again and again, that was two thirds of the cost of unpacking (2.4 µs of CPU per record;
0.9 without).

glibc's allocator takes large arrays from the kernel, and gives them back when they are freed; but
each one that is freed makes "large" larger, up to 32 MiB, and from then on they lie in the heap
amid small things that stay, and leave holes. So large is 8 MiB here: what each fetch and each block
takes is smaller and stays in the heap, for the kernel makes new pages of zeros each time; windows
of ids, which grow, and come and go with partitions, have pages of their own
(`native/src/memory.rs`). With 1 MiB a
backlog's peak was 244 MiB instead of 255 to 277, and an event cost 2.48 µs instead of 2.13 to 2.19;
with 32 MiB, 275 to 286 MiB and 2.24 to 2.29 (1,500,000 events, in turn on a busy machine). What is
free at the heap's end goes back beyond 16 MiB; what small things leave free between others is kept
until it is told to be given back: after minutes of faults that was a fifth of what was resident.
And it gives each thread a heap of its own, up to eight for a
core, of which each keeps what it had at its fullest: threads of inserts encode one block each now
and then, so a backlog's peak is a quarter to a third lower with two heaps for all (400 to 460 MiB
became 310 to 350, at no cost in CPU that could be told).

A collection of everything, which the collector so tuned would hardly ever come to, is made once a
minute beside that: what aiokafka had fetched and not handed out when partitions were taken away is
a cycle, up to 4 MiB for each of them; half an hour of faults left 100 MiB of it and more.
"""

import asyncio
import ctypes
import gc

YOUNG = 200_000
"""Containers that may be alive beyond those that were before the next look: more than the records
of all batches that wait to be folded, so that these come and go without one."""
LARGE_BYTES = 8 << 20
KEPT_BYTES = 16 << 20
GIVE_BACK_SECONDS = 60.0
HEAPS = 2
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of ``malloc.h``, where it has ``mallopt``: glibc."""


def tune() -> None:
    """Look rarely, and never again through what is loaded by now. Call it once, after imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, LARGE_BYTES)
        set_option(_M_TRIM_THRESHOLD, KEPT_BYTES)
        set_option(_M_ARENA_MAX, HEAPS)


async def give_back_forever() -> None:
    """Free what only cycles hold, and give free memory back to the kernel, now and then.

    Where there is no glibc, the kernel gets what the allocator gives it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        gc.collect()
        if trim is not None:
            await asyncio.to_thread(trim, 0)
