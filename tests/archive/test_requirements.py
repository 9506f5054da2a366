"""Requirements files as pip reads them, judged by what is installed here."""

from importlib.metadata import version

import pytest

from wfctl.archive.requirements import judge, read_requirements

CLICK = version("click")


def _unmet(text, **others):
    files = {"requirements.txt": text.encode(), **{name: body.encode() for name, body in others.items()}}
    return judge(read_requirements("requirements.txt", lambda name, _: files.get(name)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n\n   \n",
        "click",
        "Click>=1  # a comment",
        f"click=={CLICK}",
        "click[extra]>=1",
        "CLICK >= 1, < 1000",
        "click<1; python_version < '3'",
        "a-package-that-nobody-has; sys_platform == 'win32'",
        "torch>=2.6",
        "click \\\n  >=1",
        "--index-url https://example.com/simple\n--pre\nclick",
        "\ufeffclick",
    ],
)
def test_what_is_here_is_no_finding(text) -> None:
    assert _unmet(text) == ()


@pytest.mark.parametrize(
    ("text", "line", "installed"),
    [
        ("click>=1\nclick<1\n", 2, CLICK),
        ("a-package-that-nobody-has", 1, None),
        ("\n\nclick \\\n  <1 \\\n  --hash=sha256:aa\n", 3, CLICK),
        ("click @ https://example.com/click.zip ; python_version < '3'\nclick==0.1", 2, CLICK),
        ("./a_package_that_nobody_has-1.0-py3-none-any.whl", 1, None),
        ("git+https://example.com/x.git#egg=a-package-that-nobody-has", 1, None),
    ],
)
def test_what_lacks_is_named_with_its_line(text, line, installed) -> None:
    (unmet,) = _unmet(text)
    assert (unmet.file, unmet.line, unmet.installed, unmet.fault) == ("requirements.txt", line, installed, None)


def test_extras_count_with_all_that_they_ask_for(monkeypatch) -> None:
    metadata = {
        "click": ['colours[deep]>=1; extra == "fancy"', 'never; extra == "other"', 'nowhere; sys_platform == "none"'],
        "colours": ['click[Fancy]; extra == "deep"', 'pixels>=2; extra == "deep"'],
    }
    versions = {"click": CLICK, "colours": "1.0", "pixels": "1.5"}
    monkeypatch.setattr("wfctl.archive.requirements.requires", metadata.get)
    monkeypatch.setattr("wfctl.archive.requirements.installed_version", versions.get)
    (unmet,) = _unmet("click\nclick[fancy]\n")
    assert (unmet.line, unmet.installed, unmet.lacking) == (2, CLICK, "pixels>=2")
    versions["pixels"] = "2.0"
    assert _unmet("click[fancy]") == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("=> 1", "expected package name"),
        ("click >= one", "version"),
        ("-e ./here", "editable"),
        ("${HOME}/x.whl", "environment variable"),
        ("-r ../outside.txt", "names no file of the archive"),
        ("-r /etc/passwd", "names no file of the archive"),
        ("-r absent.txt", "not in the archive"),
        ("-r requirements.txt", "in a circle"),
        ("git+https://example.com/x.git#egg=.x", "expected"),
        ("click; python_version ~= 'three'", "whether its condition holds"),
    ],
)
def test_what_cannot_be_judged_says_why(text, fault) -> None:
    (unmet,) = _unmet(text)
    assert fault in unmet.fault


def test_a_report_repeats_no_password_of_a_url() -> None:
    (found,) = _unmet("absent-package @ https://user:secret@example.com/absent.whl")
    assert found.text == "absent-package @ https://example.com/absent.whl"


def test_files_name_further_files() -> None:
    files = {"more/a.txt": "-r ../b.txt\nclick<1\n", "b.txt": "click<2\n"}
    unmet = _unmet("-r more/a.txt\n", **files)
    assert [(each.file, each.line) for each in unmet] == [("b.txt", 1), ("more/a.txt", 2)]


def test_bytes_that_are_no_text_are_named() -> None:
    (unmet,) = judge(read_requirements("requirements.txt", lambda *_: b"\xff\xfe\x00"))
    assert "UTF-8" in unmet.fault
