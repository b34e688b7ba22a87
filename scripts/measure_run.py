"""Time and memory of every stage of a `run`: a Markdown table.

    python3 scripts/measure_run.py GENELIFT CONFIG.toml [OPTIONS OF run ...]

Memory is the peak of what the process takes for itself while a stage is under way (`RssAnon`, read twenty times a second); pages of the stores,
which the system takes back when it needs them, do not count. Seconds are on the clock, and of all cores together, which other work
disturbs less. Stages come from the events of `--log`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def state(pid):
    """(anonymous memory in MiB, seconds of all cores) so far."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    memory = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0)
    return memory, (int(times[11]) + int(times[12])) / TICKS


def main():
    program, config, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run.jsonl"
        child = subprocess.Popen([program, "run", config, "--log", str(log), *options])
        rows, offset, text = [], 0, ""
        begun = time.monotonic()
        while True:
            ended = child.poll() is not None
            now = state(child.pid)
            if log.exists():
                with open(log) as file:
                    file.seek(offset)
                    text += file.read()
                    offset = file.tell()
            *lines, text = text.split("\n")
            for event in map(json.loads, lines):
                if event["event"] == "stage" and event["state"] == "begun":
                    at, (memory, cores) = time.monotonic(), now or (0, 0)
                    rows.append({"stage": event["stage"], "from": at, "to": at, "cores": cores, "used": 0, "peak": memory})
            if now and rows:
                rows[-1]["peak"] = max(rows[-1]["peak"], now[0])
                rows[-1]["used"], rows[-1]["to"] = now[1] - rows[-1]["cores"], time.monotonic()
            if ended:
                break
            time.sleep(0.05)
        print("| stage | seconds | of all cores together | peak of its own memory, MiB |\n| --- | --- | --- | --- |")
        for row in rows:
            print(f"| {row['stage']} | {row['to'] - row['from']:.0f} | {row['used']:.0f} | {row['peak']:.0f} |")
        print(f"\n{time.monotonic() - begun:.0f} s, exit code {child.returncode}")
        sys.exit(child.returncode)


main()
