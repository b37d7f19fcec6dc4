"""The scan's lateness under load, beside that of an idle service: `make load`.

200 demands a second by MQTT and 100 requests a second by HTTP for a minute, beside a scan of 20 ms;
in the middle the broker is killed and started again. Prints a table; fails if a demand that was
acknowledged was not obeyed, or one was obeyed that had not been refreshed for the timeout.
"""

import argparse
import asyncio
import concurrent.futures
import http.client
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import aiomqtt
from service.served import Mosquitto, Served, eventually

DEMANDS_PER_S, REQUESTS_PER_S = 200, 100
PATHS = ("/api/state", "/api/guns", "/api/offers", "/healthz", "/metrics")
TIMEOUT_S = 4
GUNS = range(1, 7)


class Lateness:
    """Counts by bucket, as /metrics has them."""

    def __init__(self, at_work: Served) -> None:
        text = at_work.http.get("/metrics").text
        found = re.findall(r'scan_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)', text)
        self.counts = {float(bound): float(count) for bound, count in found}

    def since(self, before: "Lateness", share: float) -> str:
        """The bucket in which that share of the scans since then lies, ms."""
        counts = {bound: n - before.counts[bound] for bound, n in self.counts.items()}
        total = counts[float("inf")]
        bound = next(bound for bound, count in counts.items() if count >= share * total)
        return f"<= {bound * 1000:.2f} ms"


class Load:
    """What is sent, and what came back."""

    def __init__(self) -> None:
        self.sent = self.answered = self.refused = self.requests = self.failed = 0
        self.order: dict[int, list[float]] = {gun: [] for gun in GUNS}
        """By gun, what was sent."""
        self.acknowledged: dict[int, int] = {}
        """By gun, the place in that of the latest that was acknowledged."""

    def lost(self, gun: int, kw: float) -> bool:
        """What is in force is older than what was acknowledged last."""
        return kw not in self.order[gun][self.acknowledged[gun] :]

    async def demands(self, port: int, until_s: float) -> None:
        """One gun after the other, each time another value, over whatever connection there is."""
        while time.monotonic() < until_s:
            try:
                async with aiomqtt.Client("127.0.0.1", port, timeout=2) as client:
                    await client.subscribe("verified-alloc/tried/gun/+/answer", qos=1)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._hear(client, until_s))
                        group.create_task(self._tell(client, until_s))
            except* (aiomqtt.MqttError, OSError):
                await asyncio.sleep(0.2)

    async def _tell(self, client: aiomqtt.Client, until_s: float) -> None:
        due_s = time.monotonic()
        while time.monotonic() < until_s:
            gun = 1 + self.sent % len(GUNS)
            place, kw = len(self.order[gun]), round(1 + self.sent / 1000, 3)
            told = {"kw": kw, "id": f"{gun} {place}", "sent_s": time.time()}
            self.order[gun].append(kw)
            await client.publish(
                f"verified-alloc/tried/set/gun/{gun}/demand", json.dumps(told), qos=1
            )
            self.sent += 1
            due_s += 1 / DEMANDS_PER_S
            await asyncio.sleep(max(0, due_s - time.monotonic()))
        raise aiomqtt.MqttError("done")

    async def _hear(self, client: aiomqtt.Client, until_s: float) -> None:
        async for message in client.messages:
            answer = json.loads(message.payload)  # type: ignore[arg-type]
            if answer["accepted"]:
                self.answered += 1
                gun, place = map(int, answer["id"].split())
                self.acknowledged[gun] = place
            else:
                self.refused += 1


def requests(at: str, seconds: float) -> tuple[int, int]:
    """Requests by HTTP over one connection, REQUESTS_PER_S; how many were made, and failed."""
    made = failed = 0
    connection = http.client.HTTPConnection(at, timeout=10)
    due_s = time.monotonic()
    until_s = due_s + seconds
    while time.monotonic() < until_s:
        made += 1
        try:
            connection.request("GET", PATHS[made % len(PATHS)])
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
        due_s += 1 / REQUESTS_PER_S
        time.sleep(max(0, due_s - time.monotonic()))
    return made, failed


async def _loaded(load: Load, at_work: Served, broker: Mosquitto, seconds: float) -> None:
    asking = concurrent.futures.ProcessPoolExecutor(1)
    until_s = time.monotonic() + seconds

    async def restart() -> None:
        await asyncio.sleep(seconds / 2)
        broker.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(broker.start)

    at = at_work.url.removeprefix("http://")
    asked = asyncio.get_running_loop().run_in_executor(asking, requests, at, seconds)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.demands(broker.port, until_s))
        group.create_task(restart())
    load.requests, load.failed = await asked


def main() -> int:
    """Run it; 1 if what was acknowledged was lost, or what was stale obeyed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Mosquitto(folder) as broker:
            service = f'mqtt = "mqtt://127.0.0.1:{broker.port}"\n'
            with Served(folder, service=service, timeout_s=TIMEOUT_S, ready=False) as at_work:
                eventually(lambda: "mqtt_connected 1.0" in at_work.http.get("/metrics").text)
                start = Lateness(at_work)
                time.sleep(seconds)
                idle = Lateness(at_work)
                load = Load()
                os.nice(10)  # who makes the load is elsewhere, and takes nobody's time
                asyncio.run(_loaded(load, at_work, broker, seconds))
                demand_kw = {gun["gun"]: gun["demand_kw"] for gun in at_work.state()["guns"]}
                loaded = Lateness(at_work)
                wrong += [
                    f"gun {gun}: what was acknowledged is lost, it asks {demand_kw[gun]} kW"
                    for gun in load.acknowledged
                    if load.lost(gun, demand_kw[gun])
                ]
                time.sleep(TIMEOUT_S + 1)
                wrong += [
                    f"gun {gun['gun']} is stale and asks {gun['demand_kw']} kW"
                    for gun in at_work.state()["guns"]
                    if gun["demand_kw"] in load.order[gun["gun"]]
                ]
                if at_work.end() != 0 or "Violations: 0" not in at_work.said:
                    wrong.append(f"the station: {at_work.said}")
    print(f"{load.sent} demands sent, {load.answered} acknowledged, {load.refused} refused;")
    print(f"{load.requests} requests, {load.failed} failed; in {seconds:g} s.")
    print("lateness of the scan  idle         loaded")
    for share in (0.5, 0.99, 0.999, 1.0):
        row = f"{share * 100:g} %".ljust(20)
        print(f"{row}  {idle.since(start, share):11}  {loaded.since(idle, share)}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
