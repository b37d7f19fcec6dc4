"""`verified-alloc run --hardware pi` on a real kernel: pinctrl-bcm2835, i2c-core, gpiozero, lgpio,
smbus2, all unmodified; the cabinet's monitor judges from outside. Slow: `make virtual-pi`."""

import os
import random
import time
from collections.abc import Iterator

import pytest
from bench import Bench, Feeding
from machine import Command

from hardware.simulated.bus import BusFault

pytestmark = pytest.mark.virtual_pi

RUN = "python3 -m verified_alloc run --hardware pi --station /root/station.toml --faults"
START_S = 120
"""From the command to power on the guns, at most; a quiet machine takes 12 s."""

ONE: Feeding = {1: (1, 2, 3, 4, 5, 6)}
EACH: Feeding = {1: (1,), 2: (2,), 3: (3,), 4: (4,), 5: (5,), 6: (6,)}
ODD: Feeding = {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}
EVEN: Feeding = {2: (1, 2, 3, 4), 4: (5, 6, 7), 6: (8, 9)}

KILLS = int(os.environ.get("KILLS", "20"))
SEED = 5
CHANGE_AT_S, CHANGE_S = 6, 5
"""Of even_to_odd.csv and odd_to_even.csv: when the demands change, and how long that takes."""

FAULTS = 30
TRANSIENT = ("nack", "nack_data", "timeout", "flip_read", "flip_write")


@pytest.fixture(autouse=True)
def judged(bench: Bench) -> Iterator[None]:
    """Whatever a test does, the monitor must have nothing to say against it."""
    before = len(bench.violations())
    yield
    bench.machine.kill_all()
    assert bench.violations()[before:] == []


def test_the_documented_scenarios(bench: Bench) -> None:
    run = bench.run(f"{RUN} /tmp/scenarios.json --demands /root/scenarios.csv")
    bench.wait_for(ONE, START_S)
    bench.wait_for(EACH)
    bench.wait_for(ODD)
    run.wait(60)
    assert run.exit_code == 0
    assert bench.feeding() == {}
    assert not bench.closed()
    assert "Faults" not in "\n".join(run.lines)


def test_a_second_owner_is_refused_and_disturbs_nobody(bench: Bench) -> None:
    second = RUN.replace("-m verified_alloc", "/root/second_owner.py")
    other = bench.machine.start(f"{second} /tmp/other.json --demands /root/even_to_odd.csv")
    other.wait(START_S, until=lambda: other.lines)
    run = bench.run(f"{RUN} /tmp/owner.json --demands /root/odd_to_even.csv")
    bench.wait_for(EVEN, START_S)
    bench.machine.run("touch /tmp/go")
    other.wait(START_S)
    assert other.exit_code == 3
    assert "busy" in other.lines[-1]
    assert bench.feeding() == EVEN
    end(bench, run)


def test_faults_below_the_kernel(bench: Bench) -> None:
    """Transient ones while it reallocates change nothing in the end. A chip that browns out takes
    out what it feeds until it is configured anew, one that stays silent until that is cleared; the
    rest is shared anew."""
    chance = random.Random(SEED)
    run = bench.run(f"{RUN} /tmp/faults.json --demands /root/to_and_fro.csv")
    bench.wait_for(ODD, START_S)
    for _ in range(FAULTS):
        struck = bench.struck()
        kind, address = chance.choice(TRANSIENT), chance.choice(range(0x20, 0x28))
        bench.inject(BusFault(kind, address, at_transaction=chance.randrange(60)))
        bench.wait_until(lambda _, struck=struck: bench.struck() > struck)
        time.sleep(chance.uniform(1, 2))  # one at a time: the next scan is a good one
    bench.wait_for(ODD)
    bench.inject(BusFault("brown_out", address=0x22))  # modules 5 to 7
    bench.wait_until(lambda _: told(run, "0x22", "are out of order"))
    bench.wait_until(lambda _: told(run, "0x22", "are configured anew, 1 of 6 times an hour"))
    bench.wait_until(lambda feeding: counts(feeding) == {1: 4, 3: 3, 5: 2})
    silent = BusFault("nack", address=0x20, count=None)  # modules 1 to 3
    bench.inject(silent)
    try:
        bench.wait_until(lambda feeding: counts(feeding) == {1: 4, 3: 2})
        bench.wait_until(lambda _: told(run, "0x20", "are lost"))
        assert {(1, 1), (1, 2), (1, 3)} <= bench.closed()  # nobody can tell them to open
        stop(bench, run)
        bench.wait_until(lambda _: not bench.closed())  # with the supply of their coils
    finally:
        bench.clear(silent)


def test_a_held_bus_is_let_go_and_a_read_only_card_ends_nothing(bench: Bench) -> None:
    """While every transfer times out, RESET falls once no current flows, and all contactors open;
    then the expanders are configured anew. A fault that the card does not take is told, counts, and
    is written when the card takes it."""
    for command in ("mkdir -p /card", "mount -t tmpfs card /card"):
        bench.machine.run(command)
    run = bench.run(f"{RUN} /card/faults.json --demands /root/odd_to_even.csv")
    bench.wait_for(EVEN, START_S)
    held = BusFault("timeout", count=None)
    bench.inject(held)
    try:
        bench.wait_for({})
        bench.wait_until(lambda _: not bench.closed())
    finally:
        bench.clear(held)
    bench.wait_for(EVEN)
    bench.machine.run("mount -o remount,ro /card")
    bench.strike("aux-stuck-open 2:1 for 15s")  # then it is mended, for the tests to come
    bench.wait_until(lambda _: told(run, "/card/faults.json", "what is latched is in memory only"))
    bench.wait_until(lambda _: told(run, "contactor 2:1", "failed open"))
    bench.wait_until(lambda feeding: counts(feeding) == counts(EVEN))
    assert bench.machine.run("cut -c1- /card/faults.json") == ['{"version": 2, "faults": []}']
    bench.machine.run("mount -o remount,rw /card")
    bench.wait_until(lambda _: told(run, "/card/faults.json", "takes what is latched again"))
    assert "failed_open" in bench.machine.run("cut -c1- /card/faults.json")[0]
    stop(bench, run)


def told(run: Command, thing: str, what: str) -> bool:
    """A line of the run says that of this thing."""
    return any(thing in line and what in line for line in run.lines)


def counts(feeding: Feeding) -> dict[int, int]:
    """By gun, how many modules feed it."""
    return {gun: len(modules) for gun, modules in feeding.items()}


def test_killed_and_restarted_in_the_middle_of_changes(bench: Bench) -> None:
    chance = random.Random(SEED)
    demands, reached, sought = "odd_to_even", ODD, EVEN
    for _ in range(KILLS):
        run = bench.run(f"{RUN} /tmp/kill.json --demands /root/{demands}.csv")
        run.wait(START_S, until=lambda run=run: run.lines)
        began_s = time.monotonic()
        bench.wait_for(reached)
        at_s = began_s + CHANGE_AT_S + chance.uniform(0, CHANGE_S)
        time.sleep(max(0, at_s - time.monotonic()))
        bench.machine.run(f"kill -9 {run.pid}")
        run.wait(60)
        demands = "even_to_odd" if demands == "odd_to_even" else "odd_to_even"
        reached, sought = sought, reached
    run = bench.run(f"{RUN} /tmp/kill.json --demands /root/{demands}.csv")
    bench.wait_for(sought, START_S)
    end(bench, run)


def test_the_hardware_watchdog_resets_a_station_that_hangs(bench: Bench) -> None:
    watched = RUN.replace("station.toml", "watched.toml")
    run = bench.run(f"{watched} /tmp/hang.json --demands /root/odd_to_even.csv")
    bench.wait_for(ODD, START_S)
    assert bench.resets == 0
    bench.machine.run(f"kill -STOP {run.pid}")
    bench.wait_for({})
    bench.wait_until(lambda feeding: bench.resets == 1)
    bench.machine.wait_until_up()
    run = bench.run(f"{watched} /tmp/hang.json --demands /root/odd_to_even.csv")
    bench.wait_for(EVEN, START_S)
    end(bench, run)
    assert bench.resets == 1


def end(bench: Bench, run: Command) -> None:
    """Told to, it takes everything off, opens all, and ends well."""
    stop(bench, run)
    assert not bench.closed()


def stop(bench: Bench, run: Command) -> None:
    bench.machine.run(f"kill -TERM {run.pid}")
    run.wait(60)
    assert run.exit_code == 0
    assert bench.feeding() == {}
