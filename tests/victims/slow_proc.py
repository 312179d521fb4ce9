"""Makes the kernel work in its own name: reads the map of many mappings, for ever (T036)."""

import mmap

maps = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ if i % 2 else mmap.PROT_WRITE) for i in range(4000)]
while True:
    with open("/proc/self/smaps", "rb") as file:
        file.read()
