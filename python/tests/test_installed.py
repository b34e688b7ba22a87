"""What comes with the command: manual pages and completions, below the prefix that the wheel was installed into."""

import sysconfig
from pathlib import Path

from conftest import command

SHARE = Path(sysconfig.get_path("data")) / "share"


def test_manual_pages_are_those_of_the_command(tmp_path):
    command("man", tmp_path / "man1")
    written = {page.name: page.read_bytes() for page in (tmp_path / "man1").iterdir()}
    assert {"genelift.1", "genelift-train.1", "genelift-select.1"} <= set(written)
    assert {page.name: page.read_bytes() for page in (SHARE / "man/man1").glob("genelift*")} == written


def test_completions_are_those_of_the_command():
    places = {"bash": "bash-completion/completions/genelift", "zsh": "zsh/site-functions/_genelift", "fish": "fish/vendor_completions.d/genelift.fish"}
    for shell, place in places.items():
        assert (SHARE / place).read_text() == command("completions", shell)[0]
