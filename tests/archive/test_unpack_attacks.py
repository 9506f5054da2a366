"""Hostile archives: each is refused whole, the member named, and nothing is left on the disk."""

import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import zlib

import pytest
from hostile import DEFLATED, Raw, tar_bytes, tar_file, zip_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.archive.budgets import Budgets
from wfctl.archive.collect import files_below
from wfctl.archive.unpack import Container, list_members, open_archive, read_member, unpack
from wfctl.errors import ArchiveError, UnreadableInputError


@pytest.fixture
def refused(tmp_path):
    """Write an archive, unpack it, and return the refusal; nothing but the archive may be there afterwards."""

    def attempt(content, *, name="evil.war", **more):
        room = tmp_path / "room"
        room.mkdir(exist_ok=True)
        path = room / name
        path.write_bytes(content)
        with pytest.raises(ArchiveError) as caught:
            unpack(path, room / "target", **more)
        assert [entry.name for entry in room.iterdir()] == [name]
        assert [entry.name for entry in tmp_path.iterdir()] == ["room"]
        path.unlink()
        return caught.value

    return attempt


WAYS_OUT = {
    "parent": ("../x", "leads out"),
    "parent-inside": ("a/../../x", "leads out"),
    "parent-that-stays": ("a/../b", "leads out"),
    "sibling-prefix": ("../target-evil/x", "leads out"),
    "absolute": ("/etc/x", "absolute"),
    "drive": ("C:/x", "absolute"),
    "drive-relative": ("C:x", "absolute"),
    "unc": ("//server/share/x", "absolute"),
    "backslash": ("..\\x", "backslash"),
    "unc-backslash": ("\\\\server\\share\\x", "backslash"),
    "trailing-dot": ("a/x.", "ends in a dot"),
    "trailing-space": ("a /x", "ends in a dot or a space"),
    "only-dots": ("a/.../x", "ends in a dot"),
    "line-end": ("a\nb", "control character"),
    "escape": ("a\x1b[31m", "control character"),
    "long": ("a" * 70_000, "too long"),
    "long-part": ("a" * 256, "too long"),
    "long-path": ("/".join(["abc"] * 400), "too long"),
}


@pytest.mark.parametrize(("name", "fault"), WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_a_bad_name_in_a_zip_is_refused(refused, name, fault):
    long = len(name) > 65_535
    raw = name.encode()[:65_000] if long else name.encode()
    error = refused(zip_bytes(Raw(b"good.txt"), Raw(raw)))
    assert fault in error.message
    assert error.member is not None
    assert len(error.message) < 300


@pytest.mark.parametrize(("name", "fault"), WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_a_bad_name_in_a_tar_is_refused(refused, name, fault):
    # The first component is dropped before the file is placed; the name as it stands must be clean all the same.
    raw = name if name.startswith(("/", "\\", "C:", "..")) else f"top/{name}"
    error = refused(tar_bytes(tar_file("top/good.txt"), tar_file(raw)), name="evil.tar.gz")
    assert fault in error.message
    assert error.member is not None


def test_a_nul_in_a_zip_name_is_refused(refused):
    assert "control character" in refused(zip_bytes(Raw(b"handler.py\0.txt"))).message


def test_a_name_that_is_not_utf8_though_flagged_so_is_refused(refused):
    assert "not UTF-8" in refused(zip_bytes(Raw(b"\xff\xfe", flags=0x800))).message


def test_an_empty_name_is_refused(refused):
    assert "has no name" in refused(zip_bytes(Raw(b""))).message


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFCHR, "device"),
        (stat.S_IFBLK, "device"),
        (stat.S_IFIFO, "pipe"),
        (stat.S_IFSOCK, "socket"),
    ],
)
def test_a_zip_member_that_is_no_plain_file_is_refused(refused, kind, word):
    error = refused(zip_bytes(Raw(b"link", b"/etc", mode=kind | 0o777), Raw(b"link2/x")))
    assert word in error.message
    assert error.member == "link"


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
        (tarfile.CONTTYPE, "no plain file"),
    ],
)
def test_a_tar_member_that_is_no_plain_file_is_refused(refused, kind, word):
    error = refused(
        tar_bytes(tar_file("top/link", b"", type=kind, linkname="/etc"), tar_file("top/link/x")), name="e.tar.gz"
    )
    assert word in error.message
    assert error.member == "top/link"


SAME = {
    "twice": (b"a.txt", b"a.txt", "stands twice"),
    "case": (b"Handler.py", b"handler.py", "differ only in case"),
    "unicode-form": ("\u00e9.txt".encode(), "e\u0301.txt".encode(), "differ only in case or Unicode form"),
    "sharp-s": ("stra\u00dfe".encode(), b"STRASSE", "differ only in case"),
    "folder-case": (b"A/x", b"a/y", "differ only in case"),
    "file-and-folder": (b"a", b"a/b", "where a file is"),
    "folder-and-file": (b"a/b", b"a", "both a file and a folder"),
    "dot-path": (b"a/b", b"a/./b", "stands twice"),
}


@pytest.mark.parametrize(("first", "second", "fault"), SAME.values(), ids=SAME.keys())
def test_two_names_that_meet_on_some_disk_are_refused(refused, first, second, fault):
    assert fault in refused(zip_bytes(Raw(first), Raw(second))).message
    pair = (tar_file(f"top/{name.decode()}") for name in (first, second))
    assert fault in refused(tar_bytes(*pair), name="evil.tar.gz").message


def test_tar_names_that_meet_after_the_first_component_is_dropped_are_refused(refused):
    error = refused(tar_bytes(tar_file("one/a"), tar_file("two/a")), name="evil.tar.gz")
    assert "stands twice" in error.message


# Bombs


def test_a_member_that_declares_an_absurd_ratio_is_refused_unread(refused):
    bomb = Raw(b"bomb", b"", method=DEFLATED, packed=b"\0" * 1000, size=3 << 30)
    error = refused(zip_bytes(bomb))
    assert "bomb" in error.message
    assert error.member == "bomb"


def test_a_real_bomb_is_stopped_by_its_ratio(refused):
    budgets = Budgets(free_bytes=1 << 16, ratio=100)
    error = refused(zip_bytes(Raw(b"z", b"\0" * (1 << 20), method=DEFLATED)), budgets=budgets)
    assert "bomb" in error.message


def test_a_tar_bomb_is_stopped_while_it_streams(refused):
    budgets = Budgets(free_bytes=1 << 16, ratio=100)
    error = refused(tar_bytes(tar_file("top/z", b"\0" * (1 << 22))), name="e.tar.gz", budgets=budgets)
    assert "bomb" in error.message


def test_the_total_is_bounded(refused):
    budgets = Budgets(total_bytes=1000)
    members = [Raw(b"%d" % number, os.urandom(300)) for number in range(4)]
    assert "more than 1,000 bytes" in refused(zip_bytes(*members), budgets=budgets).message
    pairs = [tar_file(f"top/{number}", os.urandom(300)) for number in range(4)]
    assert "more than 1,000 bytes" in refused(tar_bytes(*pairs), name="e.tar.gz", budgets=budgets).message


def test_a_million_empty_members_are_refused_by_count(refused):
    row = b"PK\x01\x02" + b"\0" * 42
    table_size = len(row) * 1_000_000
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, table_size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, table_size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    head = b"PK\x03\x04"
    content = head + row * 1_000_000
    content = content[:table_size] + wide + locator + end
    assert "1,000,000 members; at most 100,000" in refused(content).message


def test_more_members_than_the_end_admits_are_refused(refused):
    members = [Raw(b"%d" % number, b"") for number in range(5)]
    assert "more than its members" in refused(zip_bytes(*members, entries=4)).message
    assert "cut short" in refused(zip_bytes(*members, entries=50)).message


def test_many_tar_members_are_refused_by_count(refused):
    pairs = [tar_file(f"top/{number}", b"") for number in range(20)]
    error = refused(tar_bytes(*pairs), name="e.tar.gz", budgets=Budgets(members=10))
    assert "more than 10 members" in error.message


def test_overlapping_members_are_refused(refused):
    longer = Raw(b"a", b"x" * 50, size=90, central={"packed": 90}, local={"packed": 90})
    assert "overlaps" in refused(zip_bytes(longer, Raw(b"b", b"\0" * 100))).message


def test_one_local_header_for_two_members_is_refused(refused):
    error = refused(zip_bytes(Raw(b"a", b"same"), Raw(b"b", b"same"), offsets=[0, 0]))
    assert error.member in {"a", "b"}


@pytest.mark.parametrize("declared", [10, 999])
def test_a_declared_size_that_lies_is_refused(refused, declared):
    lie = Raw(b"lie", b"x" * 500, method=DEFLATED, size=declared)
    error = refused(zip_bytes(lie))
    assert "declares" in error.message
    assert error.member == "lie"


def test_a_wrong_checksum_is_refused(refused):
    assert "checksum" in refused(zip_bytes(Raw(b"a", b"x", crc=1))).message


def test_a_broken_deflate_stream_is_refused(refused):
    assert "damaged" in refused(zip_bytes(Raw(b"a", b"x" * 9, method=DEFLATED, packed=b"\xff" * 9))).message


def test_bytes_hidden_after_a_deflate_stream_are_refused(refused):
    deflated = Raw(b"a", b"x" * 9, method=DEFLATED).payload()
    error = refused(zip_bytes(Raw(b"a", b"x" * 9, method=DEFLATED, packed=deflated + b"hidden")))
    assert "after its compressed content" in error.message


def test_a_cut_deflate_stream_is_refused(refused):
    deflated = Raw(b"a", os.urandom(900), method=DEFLATED)
    error = refused(zip_bytes(Raw(b"a", deflated.content, method=DEFLATED, packed=deflated.payload()[:-5])))
    assert error.member == "a"


# Two readings of one file


LIES = {
    "name": ({"name": b"b.txt"}, "is called"),
    "method": ({"method": DEFLATED}, "described differently"),
    "size": ({"size": 3}, "denies"),
    "packed": ({"packed": 3}, "denies"),
    "crc": ({"crc": 3}, "denies"),
    "encrypted": ({"flags": 1}, "described differently"),
}


@pytest.mark.parametrize(("lie", "fault"), LIES.values(), ids=LIES.keys())
def test_a_local_header_that_contradicts_the_table_is_refused(refused, lie, fault):
    error = refused(zip_bytes(Raw(b"a.txt", local=lie)))
    assert fault in error.message
    assert error.member == "a.txt"


def test_a_local_name_that_leads_out_is_refused(refused):
    assert "is called" in refused(zip_bytes(Raw(b"a.txt", local={"name": b"../x"}))).message


def test_a_unicode_path_field_with_another_name_is_refused(refused):
    other = b"../evil"
    extra = struct.pack("<HHBL", 0x7075, 5 + len(other), 1, 0) + other
    assert "second name" in refused(zip_bytes(Raw(b"a.txt", extra=extra))).message


def test_bytes_before_the_zip_are_refused(refused):
    assert "bytes before" in refused(zip_bytes(Raw(), before=b"#!/bin/sh\nexit\n")).message
    assert "before its first member" in refused(zip_bytes(Raw(), before=b"PK\x03\x04hidden")).message


def test_a_zip_appended_to_a_zip_is_refused(refused):
    assert refused(zip_bytes(Raw(b"one")) + zip_bytes(Raw(b"two"))).code == "bad-archive"


def test_bytes_after_the_zip_are_refused(refused):
    assert "after its end" in refused(zip_bytes(Raw(), after=b"more")).message


def test_bytes_between_members_are_refused(refused):
    assert "belong to no member" in refused(zip_bytes(Raw(b"a", after=b"hidden"), Raw(b"b"))).message
    assert "belong to no member" in refused(zip_bytes(Raw(b"a"), between=b"hidden")).message


def test_a_comment_that_holds_another_end_is_refused(refused):
    inner = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
    assert "two ends" in refused(zip_bytes(Raw(), comment=inner)).message


def test_a_member_without_a_header_of_its_own_is_refused(refused):
    content = bytearray(zip_bytes(Raw(b"a"), Raw(b"b")))
    second = content.index(b"PK\x03\x04", 4)
    content[second] = 0
    assert "no header of its own" in refused(bytes(content)).message


@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2001])
def test_an_encrypted_member_is_refused(refused, flag):
    assert "encrypted" in refused(zip_bytes(Raw(flags=flag))).message


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 99])
def test_an_unknown_compression_is_refused(refused, method):
    assert f"method {method}" in refused(zip_bytes(Raw(method=method))).message


def test_a_zip_cut_anywhere_is_refused(refused):
    whole = zip_bytes(Raw(b"a", b"x" * 40), Raw(b"b", b"y" * 40, method=DEFLATED))
    for end in range(1, len(whole)):
        assert refused(whole[:end]).code == "bad-archive"


def test_any_byte_changed_gives_the_same_content_or_a_refusal(tmp_path):
    whole = zip_bytes(Raw(b"a", b"x" * 10), Raw(b"b", b"y" * 10, method=DEFLATED))
    wanted = {("a", 10), ("b", 10)}
    path = tmp_path / "a.war"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = {(member.name, member.size) for member in list_members(path)}
        except ArchiveError:
            continue
        # Dates, versions and modes may change without harm.
        assert found == wanted, place


def test_any_byte_of_a_tar_changed_gives_files_inside_or_a_refusal(tmp_path):
    whole = gzip.decompress(tar_bytes(tar_file("top/a", b"x" * 10), tar_file("top/b" * 30, b"y" * 10)))
    path = tmp_path / "a.tar.gz"
    for place in range(0, len(whole), 17):
        path.write_bytes(gzip.compress(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :], 0))
        try:
            list_members(path)
        except ArchiveError:
            continue


ODD_NAMES = st.lists(
    st.sampled_from(["a", "A", "..", ".", "", " ", "b.", "/", "\\", "C:", "\u00e9", "e\u0301", "x" * 300, "\0", "~"]),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(max_examples=150, deadline=None)
@given(names=st.lists(ODD_NAMES, min_size=1, max_size=3), is_tar=st.booleans())
def test_whatever_the_names_all_files_end_inside_the_target(tmp_path_factory, names, is_tar):
    room = tmp_path_factory.mktemp("room")
    path = room / "a.war"
    if is_tar:
        path.write_bytes(tar_bytes(*(tar_file(f"top/{name}".replace("\0", "")) for name in names)))
    else:
        path.write_bytes(zip_bytes(*(Raw(name.encode()) for name in names)))
    try:
        unpacked = unpack(path, room / "target")
    except ArchiveError:
        assert [entry.name for entry in room.iterdir()] == ["a.war"]
        return
    assert sorted(entry.name for entry in room.iterdir()) == ["a.war", "target"]
    files = {entry.relative_to(unpacked.root).as_posix() for entry in unpacked.root.rglob("*") if entry.is_file()}
    assert files == unpacked.names


def test_a_tar_cut_short_is_refused(refused):
    whole = gzip.decompress(tar_bytes(tar_file("top/a", b"x" * 3000)))
    for end in (100, 600, 1024, 2000):
        assert refused(gzip.compress(whole[:end]), name="e.tar.gz").code == "bad-archive"
    packed = gzip.compress(whole)
    assert refused(packed[:-6], name="e.tar.gz").code == "bad-archive"


def test_bytes_after_the_end_of_a_tar_are_refused(refused):
    error = refused(tar_bytes(tar_file("top/a"), after=b"hidden"), name="e.tar.gz")
    assert "after its end" in error.message


def test_bytes_after_the_gzip_are_refused(refused):
    assert "damaged" in refused(tar_bytes(tar_file("top/a")) + b"hidden", name="e.tar.gz").message


def test_a_gzip_that_holds_no_tar_is_refused(refused):
    assert "no tar" in refused(gzip.compress(b"x" * 2000), name="e.tar.gz").message


def test_a_tar_header_as_large_as_the_memory_is_refused_unread(refused):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    content = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + b"a" * 2048)
    assert "header that is too long" in refused(content, name="e.tar.gz").message


def test_a_negative_size_in_a_tar_is_refused(refused):
    block = bytearray(tarfile.TarInfo("top/a").tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = b"\xff" * 12
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    assert "negative size" in refused(gzip.compress(bytes(block) + b"\0" * 1024), name="e.tar.gz").message


def test_a_pax_header_that_names_a_way_out_is_refused(refused):
    pair = tar_file("top/a", pax_headers={"path": "../../evil"})
    assert "leads out" in refused(tar_bytes(pair), name="e.tar.gz").message


def test_what_is_no_archive_is_refused(refused):
    assert "is empty" in refused(b"").message
    assert "neither a zip nor a gzip tar" in refused(b"models:\n").message


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.war")
    with pytest.raises(UnreadableInputError, match="no plain file"):
        unpack(tmp_path / "a.war", tmp_path / "target")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(UnreadableInputError, match=r'cannot read ".*a\.war": No such file'):
        unpack(tmp_path / "a.war", tmp_path / "target")


# An archive inside an archive


def test_a_model_inside_a_workflow_is_judged_like_any_archive(refused, tmp_path):
    inner = zip_bytes(Raw(b"../evil"))
    outer = zip_bytes(Raw(b"models/m.mar", inner))
    (tmp_path / "room").mkdir()
    war = tmp_path / "room" / "outer.war"
    war.write_bytes(outer)
    target = tmp_path / "room" / "out"
    unpack(war, target)
    with pytest.raises(ArchiveError, match="leads out"):
        unpack(target / "models" / "m.mar", tmp_path / "room" / "model")
    assert sorted(path.name for path in (tmp_path / "room").iterdir()) == ["out", "outer.war"]


def test_nothing_is_unpacked_by_itself_so_nesting_has_no_depth(tmp_path):
    content = b"x"
    for level in range(50):
        content = zip_bytes(Raw(b"level%d.mar" % level, content))
    (tmp_path / "a.war").write_bytes(content)
    assert unpack(tmp_path / "a.war", tmp_path / "out").names == {"level49.mar"}


# The file that changes


def test_an_archive_replaced_while_it_is_open_changes_nothing(tmp_path):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"a.txt", b"first")))
    with open_archive(path) as archive:
        other = tmp_path / "b"
        other.write_bytes(zip_bytes(Raw(b"a.txt", b"SECOND")))
        other.replace(path)
        assert archive.read("a.txt", 100) == b"first"


@pytest.mark.parametrize("mode", [0o644, 0o664, 0o666])
def test_what_a_digest_pins_is_what_is_unpacked_whatever_others_write(tmp_path, mode):
    path = tmp_path / "a.war"
    good, evil = (zip_bytes(Raw(b"a.txt", text)) for text in (b"first" * 100_000, b"fatal" * 100_000))
    path.write_bytes(good)
    path.chmod(mode)
    before = path.stat()
    with open_archive(path, sha256=hashlib.sha256(good).hexdigest()) as archive:
        if mode != 0o644:  # who may write to it may also set its dates back
            with path.open("r+b") as stream:
                stream.write(evil)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert archive.extract(tmp_path) == {"a.txt"}
    assert (tmp_path / "a.txt").read_bytes() == b"first" * 100_000


def test_an_archive_written_to_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"a.txt", b"first")))

    def read_and_write():
        with open_archive(path) as archive:
            archive.read("a.txt", 100)
            path.write_bytes(zip_bytes(Raw(b"a.txt", b"second one")))

    with pytest.raises(ArchiveError, match="written to while it was read"):
        read_and_write()


def test_a_pinned_digest_is_compared_before_anything_is_unpacked(refused, tmp_path):
    error = refused(zip_bytes(Raw()), sha256="0" * 64)
    assert "sha256" in error.message


def test_a_failure_while_a_file_is_written_leaves_the_target_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"a"), Raw(b"b", b"x" * 9, crc=1)))
    (tmp_path / "target").mkdir()
    with pytest.raises(ArchiveError):
        unpack(path, tmp_path / "target")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.war", "target"]
    assert not list((tmp_path / "target").iterdir())


def test_an_interrupt_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"a"), Raw(b"b")))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wfctl.archive.zip_reader.zlib.crc32", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack(path, tmp_path / "target")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.war"]


def test_a_target_with_content_is_left_alone(tmp_path):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"a")))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("mine")
    with pytest.raises(ArchiveError, match="cannot unpack"):
        unpack(path, tmp_path / "target")
    assert (tmp_path / "target" / "mine").read_text() == "mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.war", "target"]


# What honest tools write


def test_a_streamed_zip_with_descriptors_is_read(tmp_path):
    content = os.urandom(100)
    for form in ("<4s3L", "<3L", "<4sL2Q", "<L2Q"):
        numbers = (zlib.crc32(content), 100, 100)
        after = struct.pack(form, *((b"PK\x07\x08",) if "4s" in form else ()), *numbers)
        raw = Raw(b"a", content, flags=8, local={"crc": 0, "packed": 0, "size": 0}, after=after)
        (tmp_path / "a.war").write_bytes(zip_bytes(raw, Raw(b"b")))
        assert read_member(tmp_path / "a.war", "a", limit=100) == content


def test_a_descriptor_that_lies_is_refused(refused):
    after = struct.pack("<4s3L", b"PK\x07\x08", 1, 7, 7)
    raw = Raw(b"a", flags=8, local={"crc": 0, "packed": 0, "size": 0}, after=after)
    assert "do not describe it" in refused(zip_bytes(raw)).message


def test_folders_comments_and_empty_archives_are_read(tmp_path):
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(Raw(b"WAR-INF/", b"", mode=0o40755), Raw(b"WAR-INF/x", b"1"), comment=b"made by hand"))
    unpacked = unpack(path, tmp_path / "out")
    assert unpacked.names == {"WAR-INF/x"}
    assert unpacked.container is Container.ZIP
    path.write_bytes(zip_bytes())
    assert unpack(path, tmp_path / "none").names == frozenset()


def test_the_unpacked_folder_is_private_and_files_are_not_executable(tmp_path):
    (tmp_path / "a.war").write_bytes(zip_bytes(Raw(b"deep/a", mode=0o104777)))
    root = unpack(tmp_path / "a.war", tmp_path / "out").root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert not (root / "deep" / "a").stat().st_mode & 0o7111


def test_a_tar_loses_its_first_component_and_keeps_long_names(tmp_path):
    long = "/".join(["part" * 20] * 5)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz", format=form) as archive:
            folder = tarfile.TarInfo("top")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            for name in ("top/a", "top/d/b", "loose", *([f"top/{long}"] if form != tarfile.USTAR_FORMAT else [])):
                header = tarfile.TarInfo(name)
                header.size = 3
                archive.addfile(header, io.BytesIO(b"abc"))
        path = tmp_path / f"{form}.tar.gz"
        path.write_bytes(stream.getvalue())
        unpacked = unpack(path, tmp_path / f"out{form}")
        assert unpacked.container is Container.TAR
        assert unpacked.names >= {"a", "d/b", "loose"}
        assert (unpacked.root / "d" / "b").read_bytes() == b"abc"
        if form != tarfile.USTAR_FORMAT:
            assert read_member(path, long, limit=10) == b"abc"


def test_a_member_larger_than_the_reader_allows_is_refused(tmp_path):
    (tmp_path / "a.war").write_bytes(zip_bytes(Raw(b"WAR-INF/MANIFEST.json", b"x" * 5000)))
    with pytest.raises(ArchiveError, match="5,000 bytes long; at most 100"):
        read_member(tmp_path / "a.war", "WAR-INF/MANIFEST.json", limit=100)
    assert read_member(tmp_path / "a.war", "other", limit=100) is None


def test_a_folder_is_used_where_it_is(tmp_path):
    inner = tmp_path / "model" / "m1"
    inner.mkdir(parents=True)
    (inner / "handler.py").write_text("x")
    (inner / "deep").mkdir()
    (inner / "deep" / "y").write_text("y")
    unpacked = unpack(tmp_path / "model", tmp_path / "out")
    assert unpacked.root == inner
    assert unpacked.container is Container.FOLDER
    assert unpacked.names == {"handler.py", "deep/y"}
    assert not (tmp_path / "out").exists()
    assert read_member(tmp_path / "model", "deep/y", limit=9) == b"y"


def test_a_pipe_in_a_folder_is_refused(tmp_path):
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / "pipe")
    with pytest.raises(ArchiveError, match="a device, a pipe or a socket"):
        list_members(tmp_path / "m")


def test_digests_are_those_of_the_content(tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "a.war").write_bytes(zip_bytes(Raw(b"w", content, method=DEFLATED)))
    (member,) = list_members(tmp_path / "a.war")
    assert (member.name, member.size, member.sha256) == ("w", 3 << 20, hashlib.sha256(content).hexdigest())


def test_many_members_that_each_grow_from_little_are_refused_together(refused):
    budgets = Budgets(free_bytes=1 << 16, ratio=100)
    members = [Raw(name=b"m%d" % number, content=bytes(60_000), method=DEFLATED) for number in range(40)]
    error = refused(zip_bytes(*members), budgets=budgets)
    assert "unpack to more than" in str(error)


def test_many_small_bombs_inside_are_stopped_together(tmp_path):
    inner = zip_bytes(Raw(name=b"a", content=bytes(60_000), method=DEFLATED))
    path = tmp_path / "a.war"
    path.write_bytes(zip_bytes(*(Raw(name=b"m%d.mar" % number, content=inner) for number in range(10))))
    with open_archive(path, Budgets(free_bytes=150_000, ratio=1)) as archive:
        faults = [fault.message for fault in archive.nested_faults()]
    assert len(faults) == 8
    assert "unpack to more than" in faults[0]


def test_a_folder_that_holds_nothing_but_a_link_is_not_left_through_it(tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("../away")
    with open_archive(tmp_path / "folder") as archive:
        assert archive.names() == frozenset()


@pytest.fixture
def deep_folder(tmp_path):
    """A folder in a folder, a thousand times; removed step by step, as the library's own remover goes too deep too."""
    where = tmp_path / "deep"
    where.mkdir()
    for _ in range(1200):
        where /= "d"
        where.mkdir()
    yield tmp_path / "deep"
    while where != tmp_path:
        where.rmdir()
        where = where.parent


def test_a_folder_nested_too_deeply_is_refused(deep_folder):
    with pytest.raises(ArchiveError, match="too deeply"), open_archive(deep_folder) as archive:
        archive.names()
    with pytest.raises(ArchiveError, match="too deeply"):
        list(files_below(deep_folder))
