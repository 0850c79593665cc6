"""Copies an ELF program so that symbol versions it wants are wishes: a loader without them warns
nobody and goes on. usage: weaken.py FROM TO VERSION..."""
import struct
import sys
from pathlib import Path

SHT_GNU_VERNEED, VER_FLG_WEAK = 0x6FFFFFFE, 0x2


def sections(elf):
    offset, = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    for i in range(count):
        yield struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size)


def weaken(elf, versions):
    """Sets VER_FLG_WEAK in the Vernaux entries of these versions; returns those it met."""
    table = list(sections(elf))
    met = set()
    for _, kind, _, _, start, _, link, count, _, _ in table:
        if kind != SHT_GNU_VERNEED:
            continue
        names = table[link][4]
        need = start
        for _ in range(count):
            _, aux_count, _, aux, following = struct.unpack_from("<HHIII", elf, need)
            at = need + aux
            for _ in range(aux_count):
                _, flags, _, name, after = struct.unpack_from("<IHHII", elf, at)
                text = elf[names + name:elf.index(b"\0", names + name)].decode()
                if text in versions:
                    struct.pack_into("<H", elf, at + 4, flags | VER_FLG_WEAK)
                    met.add(text)
                at += after
            need += following
    return met


def main(source, target, *versions):
    elf = bytearray(Path(source).read_bytes())
    if elf[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"weaken: {source} is no little-endian 64-bit ELF program")
    missing = set(versions) - weaken(elf, versions)
    if missing:
        sys.exit(f"weaken: {source} does not want {', '.join(sorted(missing))}")
    Path(target).write_bytes(elf)
    Path(target).chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
