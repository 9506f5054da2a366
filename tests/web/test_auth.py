"""A key opens what it is for, as long as it lives, and nobody else gets to read it."""

import base64
import hmac
import json
import os
import stat
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wfctl.web.access.auth import KeyFileError, Keys, Role

NOON = datetime(2030, 1, 2, 12, 0, 0, 123456, UTC).timestamp()
HOUR_S = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key_file.json"


@pytest.fixture
def keys(path: Path, clock: Clock) -> Keys:
    return Keys.create(path, lifetime_min=60, clock=clock)


def in_file(path: Path, role: str) -> str:
    return json.loads(path.read_text())[role]["key"]


def opened_by(keys: Keys, authorization: str | None) -> set[Role]:
    return {role for role in Role if keys.admits(role, authorization)}


def beside(path: Path) -> list[str]:
    """Return what lies in the folder but for the file itself."""
    return sorted(each.name for each in path.parent.iterdir() if each.name != path.name)


def full_disk(*_, **__):
    raise OSError(28, "No space left on device")


# The file


def test_the_file_has_the_shape_of_the_original(keys, path):
    record = json.loads(path.read_text())
    assert list(record) == ["management", "inference", "API"]
    for role in ("management", "inference"):
        assert record.pop(role) == {"key": in_file(path, role), "expiration time": "2030-01-02T13:00:00.123Z"}
    assert record == {"API": {"key": in_file(path, "API")}}


def test_keys_are_256_random_bits_each_and_new_each_time(keys, path, clock):
    found = [in_file(path, role) for role in Role]
    Keys.create(path, lifetime_min=60, clock=clock)
    found += [in_file(path, role) for role in Role]
    assert len(set(found)) == 6
    assert all(len(base64.urlsafe_b64decode(key + "=")) == 32 for key in found)


def test_the_file_is_its_owners_from_the_first_byte(path, clock, monkeypatch):
    made, real_open = [], os.open

    def spy(name, flags, *arguments, **options):
        descriptor = real_open(name, flags, *arguments, **options)
        if flags & os.O_CREAT:
            found = os.fstat(descriptor)
            made.append((stat.S_IMODE(found.st_mode), found.st_size))
        return descriptor

    monkeypatch.setattr("os.open", spy)
    mask = os.umask(0)
    try:
        Keys.create(path, lifetime_min=60, clock=clock).renew(Role.INFERENCE)
    finally:
        os.umask(mask)
    assert made == [(0o600, 0), (0o600, 0)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert beside(path) == []


def test_a_file_that_others_could_read_is_replaced_and_not_written_into(path, clock):
    path.write_text("old")
    path.chmod(0o666)
    with path.open() as read_by_others:
        Keys.create(path, lifetime_min=60, clock=clock)
        assert read_by_others.read() == "old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_in_its_place_is_replaced_and_not_followed(keys, path, clock, is_there):
    target = path.with_name("target")
    if is_there:
        target.write_text("precious")
    for write in (lambda: keys.renew(Role.MANAGEMENT), lambda: Keys.create(path, lifetime_min=60, clock=clock)):
        path.unlink()
        path.symlink_to(target)
        write()
        assert not path.is_symlink()
    assert target.exists() is is_there
    assert not is_there or target.read_text() == "precious"


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_what_lies_where_it_is_prepared_is_not_touched(path, clock, monkeypatch, plant):
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    path.with_name("target").write_text("precious")
    plant(path.with_name("target"), path.with_name(".key_file.json.guessed"))
    with pytest.raises(KeyFileError, match="file exists"):
        Keys.create(path, lifetime_min=60, clock=clock)
    assert path.with_name("target").read_text() == "precious"
    assert beside(path) == [".key_file.json.guessed", "target"]
    assert not path.exists()


@pytest.mark.parametrize(
    ("mode", "is_fit"), [(0o777, False), (0o702, False), (0o1777, True), (0o770, True), (0o2775, True), (0o700, True)]
)
def test_a_folder_in_which_everybody_may_replace_files_is_refused(tmp_path, clock, mode, is_fit):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    (tmp_path / "link").symlink_to(folder)
    for way in (folder, tmp_path / "link"):
        if is_fit:
            Keys.create(way / "key_file.json", lifetime_min=60, clock=clock)
        else:
            with pytest.raises(KeyFileError, match="everybody may replace files") as caught:
                Keys.create(way / "key_file.json", lifetime_min=60, clock=clock)
            assert "chmod o-w" in caught.value.hint
            assert list(folder.iterdir()) == []


def test_a_folder_that_was_opened_to_everybody_meanwhile_gets_no_new_keys_and_is_not_held_open(keys, path):
    before, descriptors = path.read_bytes(), list(Path("/proc/self/fd").iterdir())
    path.parent.chmod(0o777)
    with pytest.raises(KeyFileError):
        keys.renew(Role.INFERENCE)
    assert path.read_bytes() == before
    path.parent.chmod(0o700)
    keys.renew(Role.INFERENCE)
    assert len(list(Path("/proc/self/fd").iterdir())) == len(descriptors)


@pytest.mark.parametrize("where", ["missing/key_file.json", "file/key_file.json", "folder", "x" * 300])
def test_where_it_cannot_be_is_said_and_nothing_is_left(tmp_path, clock, where):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeyFileError, match="the keys cannot be kept in") as caught:
        Keys.create(tmp_path / where, lifetime_min=60, clock=clock)
    assert where in caught.value.message
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_keys_go_where_the_server_was_started_also_when_it_moves(tmp_path, clock, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    keys = Keys.create(Path("key_file.json"), lifetime_min=60, clock=clock)
    monkeypatch.chdir(tmp_path / "elsewhere")
    keys.renew(Role.INFERENCE)
    keys.remove()
    assert [each.name for each in tmp_path.rglob("*")] == ["elsewhere"]


# Its end


def test_stopping_removes_it_once(keys, path):
    keys.renew(Role.INFERENCE)
    keys.remove()
    assert not path.exists()
    keys.remove()
    path.write_text("somebody else's")
    keys.remove()
    assert path.read_text() == "somebody else's"


def test_the_file_of_another_server_is_taken_over_but_not_removed(keys, path, clock):
    first = f"Bearer {in_file(path, 'inference')}"
    other = Keys.create(path, lifetime_min=60, clock=clock)
    keys.remove()
    assert in_file(path, "management")
    assert keys.admits(Role.INFERENCE, first)
    assert not other.admits(Role.INFERENCE, first)
    other.remove()
    assert not path.exists()


def test_a_file_that_got_the_number_of_ours_is_not_taken_for_it(keys, path):
    content, inode = path.read_bytes(), path.stat().st_ino
    for other in (content.replace(b'"key"', b'"KEY"'), content + b"\n", content[:-1], b""):
        path.write_bytes(other)
        keys.remove()
        assert path.stat().st_ino == inode
    path.write_bytes(content)
    keys.remove()
    assert not path.exists()


def test_a_file_that_cannot_be_removed_is_spoken_of(keys, path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", full_disk)
    with pytest.raises(KeyFileError, match="no space left on device"):
        keys.remove()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_ours(keys, path, kind):
    moved = path.rename(path.with_name("moved"))
    {"link": lambda: path.symlink_to(moved), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    keys.remove()
    assert beside(path) == ["moved"]
    assert not stat.S_ISREG(path.lstat().st_mode)


# What keys open


def test_a_key_opens_what_it_is_for_and_nothing_else(keys, path):
    for role in Role:
        assert opened_by(keys, f"Bearer {in_file(path, role)}") == {role}
        assert keys.allows_renewal(f"Bearer {in_file(path, role)}") is (role == Role.API)
    assert opened_by(keys, None) == set()


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   "])
def test_the_scheme_has_no_case(keys, path, scheme):
    assert opened_by(keys, scheme + in_file(path, "inference")) == {Role.INFERENCE}


NO_TOKENS = (
    "{key}|Bearer{key}|Bearer|Bearer ||Bearer\t{key}| Bearer {key}|Bearer {key} |Bearer {key}\n|Bearer {key} {key}",
    # Two fields, joined
    "Bearer {key}, Bearer {key}|Bearer {key},{key}|Bearer wrong, Bearer {key}|Bearer {key}, Basic eDp5|Basic x, Bearer {key}",
    "Basic {key}|Token {key}|Bearers {key}|Bearer={key}|Bearer: {key}|Bearer Bearer {key}",
    'Bearer {key}=|Bearer {key}x|Bearer x{key}|Bearer %{key}|Bearer "{key}"|Bearer {key}\u212a|Bearer {key}\u00e9|Bearer =',
)


@pytest.mark.parametrize("form", "|".join(NO_TOKENS).split("|"))
def test_what_is_not_one_token_opens_nothing(keys, path, form):
    for role in Role:
        assert opened_by(keys, form.format(key=in_file(path, role))) == set()


def test_neither_parts_of_a_key_nor_other_spellings_open_anything(keys, path):
    key = in_file(path, "management")
    other = "B" if key[0] != "B" else "C"
    near = [key[:-1], key[1:], key[:8], key + key, key[::-1], key.swapcase(), other + key[1:]]
    for wrong in (*near, "A" * 43, "A" * 60_000):
        assert opened_by(keys, f"Bearer {wrong}") == set()


def test_a_comparison_that_takes_the_same_time_decides_and_is_always_made(keys, path, monkeypatch):
    compared = []

    def says(answer):
        def compare(given, secret):
            compared.append((given, secret))
            return answer

        return compare

    right = in_file(path, "inference")
    monkeypatch.setattr(hmac, "compare_digest", says(True))
    for authorization in (None, "", "Basic x", "Bearer x", f"Bearer {right}x", f"Bearer {right}"):
        assert keys.admits(Role.INFERENCE, authorization)
    monkeypatch.setattr(hmac, "compare_digest", says(False))
    assert not keys.admits(Role.INFERENCE, f"Bearer {right}")
    # The key stands second: the comparison takes as long as what stands there.
    assert {secret for _, secret in compared} == {right.encode()}
    assert b" ".join(given for given, _ in compared) == f"   x {right}x {right} {right}".encode()


# Their time


def test_keys_open_nothing_any_more_once_their_time_is_over(keys, path, clock):
    tokens = {role: f"Bearer {in_file(path, role)}" for role in Role}
    clock.now = NOON + HOUR_S - 0.001
    assert all(keys.admits(role, tokens[role]) for role in Role)
    clock.now = NOON + HOUR_S
    assert [role for role in Role if keys.admits(role, tokens[role])] == [Role.API]
    clock.now = NOON + 1e9
    assert keys.allows_renewal(tokens[Role.API])


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_life_that_is_none_is_refused(path, clock, minutes):
    with pytest.raises(KeyFileError, match=r"keys cannot live for \S+ minutes"):
        Keys.create(path, lifetime_min=minutes, clock=clock)
    assert not path.exists()


@pytest.mark.parametrize("role", [Role.INFERENCE, Role.MANAGEMENT])
def test_renewal_replaces_one_key_and_its_time_at_once(keys, path, clock, role):
    old = json.loads(path.read_text())
    tokens = {each: f"Bearer {old[each]['key']}" for each in Role}
    clock.now += 2 * HOUR_S
    keys.renew(role)
    new = json.loads(path.read_text())
    assert [each for each in old if old[each] != new[each]] == [role]
    assert new[role]["expiration time"] == "2030-01-02T15:00:00.123Z"
    assert opened_by(keys, tokens[role]) == set()
    assert opened_by(keys, f"Bearer {new[role]['key']}") == {role}
    assert keys.allows_renewal(tokens[Role.API])
    clock.now = NOON  # back again: what was renewed stays so, and what was not is as it was
    assert opened_by(keys, tokens[role]) == set()
    assert sum(keys.admits(each, tokens[each]) for each in Role) == 2
    with pytest.raises(ValueError, match="is not renewed"):
        keys.renew(Role.API)


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
def test_a_renewal_that_cannot_be_written_changes_nothing(keys, path, monkeypatch, step):
    token, before = f"Bearer {in_file(path, 'inference')}", path.read_bytes()

    with monkeypatch.context() as broken:
        broken.setattr(step, full_disk)
        with pytest.raises(KeyFileError, match="no space left on device"):
            keys.renew(Role.INFERENCE)
    assert keys.admits(Role.INFERENCE, token)
    assert path.read_bytes() == before
    assert beside(path) == []
    keys.remove()
    assert not path.exists()


def test_who_reads_while_it_is_rewritten_reads_all_of_one_of_them(keys, path, monkeypatch):
    before, seen, real_fsync = path.read_bytes(), [], os.fsync

    def look(descriptor):
        seen.append((path.read_bytes(), os.fstat(descriptor).st_size))
        real_fsync(descriptor)

    monkeypatch.setattr("os.fsync", look)
    keys.renew(Role.INFERENCE)
    assert seen == [(before, path.stat().st_size)]
    assert path.read_bytes() != before


@pytest.mark.parametrize("second", [lambda keys: keys.renew(Role.MANAGEMENT), Keys.remove])
def test_who_comes_while_a_renewal_is_written_waits_for_it(keys, path, monkeypatch, second):
    old = {role: f"Bearer {in_file(path, role)}" for role in Role}
    first_writes, second_is_done, real_fsync = threading.Event(), threading.Event(), os.fsync

    def slow(descriptor):
        if not first_writes.is_set():
            first_writes.set()
            second_is_done.wait(0.2)  # in vain, for it has to wait
        real_fsync(descriptor)

    monkeypatch.setattr("os.fsync", slow)
    first = threading.Thread(target=keys.renew, args=(Role.INFERENCE,))
    first.start()
    assert first_writes.wait(10)
    second(keys)
    second_is_done.set()
    first.join()
    if second is Keys.remove:
        assert not path.exists()
    else:
        assert [role for role in Role if keys.admits(role, old[role])] == [Role.API]
        assert all(opened_by(keys, f"Bearer {in_file(path, role)}") == {role} for role in Role)


# What is told of them


def test_neither_keys_nor_refusals_show_a_key(keys, path, monkeypatch):
    hidden = [*(in_file(path, role)[:8] for role in Role), "THE-NEXT"]
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "THE-NEXT")
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(KeyFileError) as caught:
        keys.renew(Role.INFERENCE)
    shown = f"{keys!r} {keys} {keys._keys!r}" + "".join(traceback.format_exception(caught.value))
    assert repr(keys) == (
        f"Keys('{path}', management until 2030-01-02T13:00:00.123Z, inference until 2030-01-02T13:00:00.123Z)"
    )
    assert "No space" in shown
    assert not [each for each in hidden if each in shown]
