"""Attacks through the broker: two stations of one name, and a gun that floods."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.served import Mosquitto, Served, eventually
from service.test_mqtt import ROOT, Listener, publish

FLOOD = '{"kw": 10, "id": "many"}'
ASKED = 23


def connected(at_work: Served) -> bool:
    """It owns its topic."""
    return "mqtt_connected 1.0" in at_work.http.get("/metrics").text


@contextmanager
def station(folder: Path, broker: Mosquitto) -> Iterator[Served]:
    """One of the same name as every other."""
    folder.mkdir()
    with Served(folder, service=f'mqtt = "mqtt://127.0.0.1:{broker.port}"\n') as at_work:
        yield at_work


def twins(folder: Path) -> tuple[list[float], str, bool]:
    """What gun 3 of each of two stations of one name asks for after one demand to their topic; what
    the second says of it; and whether it speaks once the first is killed."""
    with Mosquitto(folder) as broker, station(folder / "first", broker) as first:
        eventually(lambda: connected(first))
        with station(folder / "second", broker) as second:
            said = eventually(lambda: [why for why in second.state()["why"] if "MQTT" in why])
            with Listener(broker.port) as listener:
                told = json.dumps({"kw": 40, "id": "whose"})
                publish(broker.port, "set/gun/3/demand", told)
                eventually(lambda: listener.last("gun/3/answer"))
            asked_kw = [each.gun(3)["demand_kw"] for each in (first, second)]
            first.process.kill()
            taken_over = bool(eventually(lambda: connected(second)))
    return asked_kw, said[0], taken_over


def flood(folder: Path, qos: int) -> tuple[int, float]:
    """While gun 1 sends demands as fast as it can, gun 2 sends 23, each when the one before is
    answered: how many are, and the longest wait, s."""
    with Mosquitto(folder) as broker, station(folder / f"flooded {qos}", broker) as at_work:
        eventually(lambda: connected(at_work))
        with Listener(broker.port, "gun/+/answer") as listener:
            target = ["-p", str(broker.port), "-q", str(qos), "-t", f"{ROOT}/set/gun/1/demand"]
            waited_s = []
            with (
                subprocess.Popen(["yes", FLOOD], stdout=subprocess.PIPE) as told,
                subprocess.Popen(["mosquitto_pub", *target, "-l"], stdin=told.stdout) as gun_1,
            ):
                try:
                    eventually(lambda: listener.last("gun/1/answer"))
                    for n in range(ASKED):
                        began_s = time.monotonic()
                        asked = json.dumps({"kw": n, "id": str(n)})
                        publish(broker.port, "set/gun/2/demand", asked)
                        eventually(
                            lambda n=n: (listener.last("gun/2/answer") or {}).get("id") == str(n)
                        )
                        waited_s.append(time.monotonic() - began_s)
                    assert gun_1.poll() is None
                finally:
                    gun_1.kill()
                    told.kill()
    return len(waited_s), max(waited_s)


def main() -> None:
    """Try it, and say what came of it."""
    with tempfile.TemporaryDirectory() as name:
        asked_kw, said, taken_over = twins(Path(name))
        print(f"two stations of one name: gun 3 asks for {asked_kw} kW; the second says: {said}")
        print(f"  and once the first is killed the second speaks: {taken_over}")
        for qos in (0, 1):
            answered, longest_s = flood(Path(name), qos)
            print(
                f"beside a flood of gun 1 at QoS {qos} {answered} of {ASKED} demands of gun 2 are"
                f" answered, at the latest after {longest_s:.2f} s"
            )


if __name__ == "__main__":
    main()
