"""Archives that no honest tool writes, byte by byte."""

import gzip
import io
import struct
import tarfile
import zlib
from dataclasses import dataclass, field

STORED, DEFLATED = 0, 8


@dataclass
class Raw:
    """One member of a zip; every field of either header can be made to lie."""

    name: bytes = b"a.txt"
    content: bytes = b"content"
    method: int = STORED
    flags: int = 0
    mode: int = 0o100644
    packed: bytes | None = None
    size: int | None = None
    crc: int | None = None
    local: dict = field(default_factory=dict)
    central: dict = field(default_factory=dict)
    after: bytes = b""
    extra: bytes = b""

    def payload(self):
        if self.packed is not None:
            return self.packed
        if self.method == DEFLATED:
            deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
            return deflater.compress(self.content) + deflater.flush()
        return self.content

    def fields(self):
        payload = self.payload()
        return {
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.content) if self.crc is None else self.crc,
            "packed": len(payload),
            "size": len(self.content) if self.size is None else self.size,
            "name": self.name,
            "extra": self.extra,
        }


def zip_bytes(*members, before=b"", between=b"", after=b"", comment=b"", entries=None, offsets=None):
    """Write a zip with exactly these members."""
    body, places = before, []
    for raw in members:
        places.append(len(body))
        fields = {**raw.fields(), **raw.local}
        body += struct.pack(
            "<4s5H3L2H",
            b"PK\x03\x04",
            20,
            fields["flags"],
            fields["method"],
            0,
            33,
            fields["crc"],
            fields["packed"],
            fields["size"],
            len(fields["name"]),
            len(fields["extra"]),
        )
        body += fields["name"] + fields["extra"] + raw.payload() + raw.after
    body += between
    table_at, table = len(body), b""
    for raw, place in zip(members, offsets or places, strict=True):
        fields = {**raw.fields(), **raw.central}
        table += struct.pack(
            "<4s6H3L5H2L",
            b"PK\x01\x02",
            (3 << 8) | 20,
            20,
            fields["flags"],
            fields["method"],
            0,
            33,
            fields["crc"],
            fields["packed"],
            fields["size"],
            len(fields["name"]),
            len(fields["extra"]),
            0,
            0,
            0,
            raw.mode << 16,
            place,
        )
        table += fields["name"] + fields["extra"]
    count = len(members) if entries is None else entries
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(table), table_at, len(comment))
    return body + table + end + comment + after


def tar_bytes(*members, after=b""):
    """Write a gzip tar of ``(TarInfo, content)`` pairs."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for header, content in members:
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return gzip.compress(stream.getvalue() + after)


def tar_file(name, content=b"content", **fields):
    """Make one pair for ``tar_bytes``."""
    header = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(header, key, value)
    return header, content
