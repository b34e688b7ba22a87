"""What measure_import.py and measure_hdf5.py share."""

import os
import subprocess
import time


def measured(command):
    """Seconds on the clock, on the processors, and the peak memory in MiB of a command."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
