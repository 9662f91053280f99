"""Bytes of a page and of a bitmap. Equal content gives equal bytes, before compression.

A page holds `n` positions (differences, uint16) and then, measure by measure, `n` values in the narrowest type that
holds them all. The first byte is the number of measures, then comes one letter per measure for its type.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import zstandard

from monitor.store.errors import Damage

CHUNK = 4_096
"""Leaves per page: positions fit 16 bits, and one slice's history is cheap to read."""

_LEVEL = 3
_TYPES: dict[str, np.dtype[np.integer]] = {
    "B": np.dtype("<u1"),
    "H": np.dtype("<u2"),
    "I": np.dtype("<u4"),
    "q": np.dtype("<i8"),
}


def encode_page(positions: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> bytes:
    """Content of a page, not compressed: `positions` [n] ascending in 0..CHUNK-1, `values` [M, n]."""
    letters = [_narrowest(row) for row in values]
    head = bytes([len(letters)]) + "".join(letters).encode("ascii")
    steps = np.diff(positions, prepend=0).astype("<u2")
    return (
        head
        + steps.tobytes()
        + b"".join(row.astype(_TYPES[x]).tobytes() for x, row in zip(letters, values, strict=True))
    )


def decode_page(content: bytes, leaves: int) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.integer]]]:
    """The inverse of `encode_page`, with the values of each measure [n] in their stored type."""
    measures = content[0]
    offset = 1 + measures
    positions = np.cumsum(np.frombuffer(content, "<u2", leaves, offset), dtype=np.int64)
    offset += 2 * leaves
    values: list[npt.NDArray[np.integer]] = []
    for letter in content[1 : 1 + measures].decode("ascii"):
        kind = _TYPES[letter]
        values.append(np.frombuffer(content, kind, leaves, offset))
        offset += kind.itemsize * leaves
    return positions, values


def _narrowest(row: npt.NDArray[np.int64]) -> str:
    if row.size == 0:
        return "B"
    low, high = int(row.min()), int(row.max())
    if low < 0:
        return "q"
    return next((letter for letter in "BHI" if high <= np.iinfo(_TYPES[letter]).max), "q")


def encode_ids(ids: npt.NDArray[np.int32]) -> bytes:
    """A bitmap of ids (non-negative, any order), not compressed; it ends at the byte of the largest id."""
    bits = np.zeros(int(ids.max(initial=-1)) + 1, dtype=bool)
    bits[ids] = True
    return np.packbits(bits, bitorder="little").tobytes()


def decode_ids(content: bytes) -> npt.NDArray[np.int64]:
    """The ids of a bitmap, ascending."""
    return np.flatnonzero(np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little"))


def version_of(content: bytes) -> bytes:
    """Hash of a page's content: another release of the compressor does not change it."""
    return hashlib.blake2b(content, digest_size=8).digest()


def compress(content: bytes) -> bytes:
    """With a checksum: a disk that changes a byte is found when it is read."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)


def decompressed(body: bytes) -> bytes:
    """The inverse of `compress`; raises `Damage`."""
    return Unpacker().content(body)


class Unpacker:
    """For many blobs in a row: making a decompressor costs more than using it."""

    def __init__(self) -> None:
        self._unpack = zstandard.ZstdDecompressor()

    def content(self, body: bytes, version: bytes | None = None) -> bytes:
        """What was compressed, and has the hash `version`; raises `Damage`."""
        try:
            content: bytes = self._unpack.decompress(body)
        except zstandard.ZstdError as error:
            raise Damage(str(error)) from None
        if version is not None and version_of(content) != version:
            raise Damage("counts that are not those that were written")
        return content
