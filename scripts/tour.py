"""Does the example as one might who presses Ctrl-C in every stage, in a terminal of 80 columns and in a log.

    python3 scripts/tour.py target/release/genelift examples/brca.toml [KEY=VALUE ...]

Waits for the line of the next stage, `[k/9] NAME`, and sends SIGINT a little later: exit 130 and a message that tells how to go on.
In the end the results have to be those of an undisturbed run, and no bar may be wider than the terminal.
"""

import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from faults import digest

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Run:
    def __init__(self, program, config, changes, out, terminal):
        sets = [word for change in [f"output={out}", *changes] for word in ("--set", change)]
        self.text, self.terminal = "", terminal
        self.ours, theirs = pty.openpty() if terminal else os.pipe()
        if terminal:
            subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=theirs, check=True)
        # a shell's background job ignores SIGINT, and so would what it starts
        listen = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.child = subprocess.Popen([program, "run", config, *sets], stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True, preexec_fn=listen)
        os.close(theirs)
        os.set_blocking(self.ours, False)

    def read(self):
        try:
            while piece := os.read(self.ours, 65536):
                self.text += piece.decode(errors="replace")
        except (BlockingIOError, OSError):
            pass

    def interrupt(self, stage):
        """Waits until the stage, or the first after it that is not kept, begins, then sends SIGINT. Its number and name, None if the run ended before."""
        while True:
            ended = self.child.poll() is not None
            self.read()
            begun = re.findall(r"\[(\d+)/\d+\] ([^:\n]+): (?!kept)", CONTROL.sub("", self.text))
            found = next(((int(number), name) for number, name in begun if int(number) >= stage), None)
            if found:
                time.sleep(random.uniform(0, 0.3))
                self.child.send_signal(signal.SIGINT)
                return found
            if ended:
                return None
            time.sleep(0.002)

    def end(self):
        while self.child.poll() is None:
            self.read()
            time.sleep(0.01)
        self.read()
        return self.child.returncode

    def wide(self):
        """Bars that do not fit 80 columns; messages may wrap."""
        lines = re.split(r"[\r\n]+", CONTROL.sub("", self.text)) if self.terminal else []
        return [line for line in lines if len(line) > 80 and re.search(r"[━╸█░] ?|\d/s", line)]


def tour(program, config, changes, out, terminal):
    where, counts, stage = "terminal" if terminal else "log", {}, 1
    while True:
        run = Run(program, config, changes, out, terminal)
        stage, name = run.interrupt(stage) or (stage, None)
        code, wide = run.end(), run.wide()
        last = CONTROL.sub("", re.split(r"[\r\n]+|\x1b\[2K", run.text.strip())[-1])
        fine = "right" if not wide and (code == 0 or code == 130 and "goes on" in last) else "WRONG"
        print(f"{where:9} stage {stage} {name}: exit {code}; {last if code else 'it ended'}", *wide, sep="\n    wide: ", flush=True)
        counts[fine] = counts.get(fine, 0) + 1
        if code == 0:
            return counts
        stage += 1


def main():
    program, config, *changes = sys.argv[1:]
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        Run(program, config, changes, out, False).end()
        whole = digest(folder, ["out"])
        for terminal in (True, False):
            shutil.rmtree(out)
            counts = tour(program, config, changes, out, terminal)
            print(f"{counts}; results as of an undisturbed run: {digest(folder, ['out']) == whole}", flush=True)


main()
