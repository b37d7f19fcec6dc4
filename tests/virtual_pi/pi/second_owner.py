"""`python3 -m verified_alloc` once it is told to, with all loaded before: beside a station that
scans, the one emulated processor has no time for that, where a Pi has four."""

import runpy
import time
from pathlib import Path

import gpiozero.pins.lgpio  # noqa: F401
import smbus2  # noqa: F401

import verified_alloc.run.command  # noqa: F401

print("loaded", flush=True)
while not Path("/tmp/go").exists():
    time.sleep(0.5)
runpy.run_module("verified_alloc", run_name="__main__")
