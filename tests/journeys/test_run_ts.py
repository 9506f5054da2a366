"""``wfctl run --ts``."""

HANDLER = "import ts\n\ndef only(data, context):\n    return data and [ts.__version__]\n"


def test_the_own_modules_are_the_default(flow, wfctl) -> None:
    folder = flow("dag:\n  only: []\n", HANDLER)
    for options in ([], ["--ts", "own"]):
        assert wfctl("run", "-w", folder, *options, "-", stdin=b"x").stdout == b"0.12.0"


def test_an_absent_torchserve_is_refused_with_what_to_do(flow, wfctl) -> None:
    done = wfctl("run", "-w", flow("dag:\n  only: []\n", HANDLER), "--ts", "real", "-", stdin=b"x")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"TorchServe is not installed, and --ts real asks for it" in done.stderr
    assert b"pip install torchserve" in done.stderr
    assert b"Traceback" not in done.stderr


def test_another_word_is_a_mistake_of_usage(flow, wfctl) -> None:
    assert wfctl("run", "-w", flow("dag:\n  only: []\n", HANDLER), "--ts", "both", "-", stdin=b"x").returncode == 2
