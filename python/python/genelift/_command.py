"""The command ``genelift``."""

import os
import signal
import sys


def main() -> None:
    """Runs the command with the arguments of this process."""
    from ._genelift import main as run

    # Mesa's device-select layer orders adapters for desktops and complains on servers without one.
    os.environ.setdefault("NODEVICE_SELECT", "1")
    # Python's handler would only be looked at when the command is over. One that the process was started to ignore stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run(["genelift", *sys.argv[1:]]))
