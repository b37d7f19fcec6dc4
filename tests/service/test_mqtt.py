"""A whole session by other people's tools, mosquitto's and curl; and what a broker may do to us."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jinja2 import Template
from service.served import Mosquitto, Served, eventually

ROOT = "verified-alloc/tried"

pytestmark = pytest.mark.xdist_group("mqtt")  # one station for all of them


class Listener:
    """mosquitto_sub on everything, or on what is below."""

    def __init__(self, port: int, below: str = "#") -> None:
        self._said = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed in __exit__
        self._process = subprocess.Popen(
            [
                *(
                    "mosquitto_sub",
                    "-p",
                    str(port),
                    "-t",
                    f"{ROOT}/{below}",
                    "-q",
                    "1",
                    "-V",
                    "mqttv5",
                ),
                *("-F", "%r %t %p"),
            ],
            stdout=self._said,
        )

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    @property
    def heard(self) -> list[tuple[str, Any, bool]]:
        """Topic, what was told, and whether it was retained."""
        told = []
        for line in Path(self._said.name).read_text().split("\n")[:-1]:
            retained, name, text = line.split(" ", 2)
            payload = json.loads(text) if text.startswith('{"') else text
            told.append((name.removeprefix(f"{ROOT}/"), payload, retained == "1"))
        return told

    def on(self, topic: str) -> list[Any]:
        """What has been heard on a topic."""
        return [told for name, told, _ in self.heard if name == topic]

    def last(self, topic: str) -> Any:
        heard = self.on(topic)
        return heard[-1] if heard else None


def publish(port: int, topic: str, text: str, *options: str) -> None:
    to = ["-p", str(port), "-q", "1", "-t", f"{ROOT}/{topic}"]
    subprocess.run(["mosquitto_pub", *to, "-m", text, *options], check=True)


def offer_kw(listener: Listener, gun: int) -> Any:
    offers = listener.last("offers")
    return offers and offers["offers"][gun - 1]["offer_kw"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Served]:
    service = f'mqtt = "mqtt://127.0.0.1:{broker.port}"\nhome_assistant = "homeassistant"\n'
    with Served(tmp_path_factory.mktemp("served"), service=service) as at_work:
        eventually(lambda: "mqtt_connected 1.0" in at_work.http.get("/metrics").text)
        yield at_work


def test_a_whole_session_by_mosquitto_and_curl(shared: Served, broker: Mosquitto) -> None:
    def curl(*options: str) -> Any:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--noproxy", "*", *options],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    with Listener(broker.port) as listener:
        eventually(lambda: offer_kw(listener, 3) == 0)

        def keep(kw: float, holds: Callable[[], Any]) -> None:
            """Refresh the demand as a gun does, until it holds."""

            def told() -> Any:
                publish(
                    broker.port, "set/gun/3/demand", json.dumps({"demand_kw": kw, "id": f"at {kw}"})
                )
                return holds()

            eventually(told)

        # The car is plugged in, its gun keeps the modules for the cable check, power comes.
        keep(40, lambda: offer_kw(listener, 3) == 40)
        publish(broker.port, "set/gun/3/hold", '{"hold_s": 5}')
        answer = {"to": "demand", "id": "at 40", "accepted": True, "said": "gun 3 asks for 40 kW"}
        answer |= {"station": "tried"}
        assert answer in listener.on("gun/3/answer")
        eventually(lambda: shared.gun(3)["held_s"])
        publish(broker.port, "set/gun/3/hold", '{"hold_s": 0, "id": "let go"}')
        let_go = {"to": "hold", "id": "let go", "said": "gun 3 let go"}
        eventually(
            lambda: any(let_go.items() <= said.items() for said in listener.on("gun/3/answer"))
        )
        eventually(lambda: not shared.gun(3)["held_s"])
        keep(120, lambda: offer_kw(listener, 3) == 120)
        assert curl(f"{shared.url}/api/v1/guns/3")["drawn_kw"] == 120
        eventually(lambda: listener.last("assignment")["guns"][2]["modules"] == [1, 2, 3])
        # The site has less; the gun acknowledges.
        put = ["-X", "PUT", "-H", "Content-Type: application/json", "-d"]
        assert "said" in curl(*put, '{"limit_kw": 80}', f"{shared.url}/api/v1/limits")
        keep(120, lambda: offer_kw(listener, 3) == 80)
        publish(broker.port, "set/gun/3/acknowledgement", '{"offer_kw": 80, "id": "seen"}')
        eventually(lambda: (listener.last("gun/3/answer") or {}).get("id") == "seen")
        assert listener.last("gun/3/answer")["accepted"] is True
        assert "said" in curl("-X", "DELETE", f"{shared.url}/api/v1/limits")
        # It is full.
        keep(0, lambda: offer_kw(listener, 3) == 0)
        eventually(lambda: not curl(f"{shared.url}/api/v1/guns/3")["live"])
        eventually(lambda: listener.last("state")["guns"][2]["live"] == [])


def refused(at_work: Served) -> float:
    """How many messages have been refused."""
    found = [
        float(line.split()[-1])
        for line in at_work.http.get("/metrics").text.splitlines()
        if line.startswith('verified_alloc_refused_total{reason="mqtt"}')
    ]
    return found[0] if found else 0.0


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("set/gun/4/offer", '{"demand_kw": 40}'),
        ("set/gun/4/demand", ""),
        ("set/gun/4/demand", '{"demand_kw": 40, "station": "another"}'),
        ("set/gun/4/demand", '{"demand_kw": 40, "sent_at": 1e12}'),
        ("set/gun/4/demand", '{"demand_kw": -1}'),
        ("set/gun/4/demand", '{"demand_kw": 40, "more": 1}'),
        ("set/gun/4/demand", '{"demand_kw": "NaN"}'),
        ("set/gun/4/demand", "{"),
        ("set/gun/4/demand", "[" * 4000),
        ("set/gun/4/demand", "x" * 5000),
    ],
)
def test_what_is_refused_changes_nothing(
    shared: Served, broker: Mosquitto, topic: str, text: str
) -> None:
    before = refused(shared)
    publish(broker.port, topic, text)
    eventually(lambda: refused(shared) > before)
    assert [gun["demand_kw"] for gun in shared.state()["guns"]] == [0] * 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"demand_kw": -1, "id": "wrong"}',
            "demand_kw = -1: input should be greater than or equal to 0",
        ),
        (
            '{"demand_kw": 40, "station": "another", "id": "wrong"}',
            "station = 'another': allowed is",
        ),
    ],
)
def test_what_is_refused_is_answered_where_it_has_an_id(
    shared: Served, broker: Mosquitto, text: str, said: str
) -> None:
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        publish(broker.port, "set/gun/4/demand", text)
        answer = eventually(lambda: listener.last("gun/4/answer"))
        assert said in answer.pop("said")
        assert answer == {"station": "tried", "to": "demand", "id": "wrong", "accepted": False}


def test_everything_that_is_told_says_whose_it_is(shared: Served, broker: Mosquitto) -> None:
    publish(broker.port, "set/gun/4/demand", '{"demand_kw": 0}')
    topics = ("offers", "assignment", "gun/1/state", "gun/6/state")
    with Listener(broker.port) as listener:
        for topic in topics:
            assert eventually(lambda name=topic: listener.last(name))["station"] == "tried"
        assert eventually(lambda: listener.last("state"))["station"]["name"] == "tried"
        (owner,) = {name for name, _, _ in listener.heard if name.startswith("owner/")}
        assert listener.last(owner)["station"] == "tried"


def asked(port: int, text: str, reply_to: str) -> "subprocess.CompletedProcess[str]":
    """What mosquitto's own requester hears on its response topic; nothing within 5 s: code 27."""
    request = ["mosquitto_rr", "-p", str(port), "-V", "mqttv5", "-W", "5", "-q", "1"]
    topics = ["-t", f"{ROOT}/set/gun/4/demand", "-e", reply_to, "-m", text]
    correlated = ["-D", "publish", "correlation-data", "number 7", "-F", "%D %p"]
    return subprocess.run([*request, *topics, *correlated], capture_output=True, text=True)


def test_who_names_a_response_topic_is_answered_there(shared: Served, broker: Mosquitto) -> None:
    told, said = asked(broker.port, '{"demand_kw": 0}', "replies/4").stdout.split("{", 1)
    assert told == "number 7 "
    assert json.loads("{" + said) == {
        "station": "tried",
        "to": "demand",
        "id": None,
        "accepted": True,
        "said": "gun 4 asks for 0 kW",
    }


@pytest.mark.parametrize(
    "topic",
    [
        f"{ROOT}/offers",
        "verified-alloc/another/set/gun/1/demand",
        "homeassistant/device/another/config",
    ],
)
def test_nobody_has_it_speak_as_a_station(shared: Served, broker: Mosquitto, topic: str) -> None:
    before = refused(shared)
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        target = ["-V", "mqttv5", "-D", "publish", "response-topic", topic]
        publish(broker.port, "set/gun/4/demand", '{"demand_kw": 40, "id": "turned"}', *target)
        eventually(lambda: refused(shared) > before)
        assert shared.gun(4)["demand_kw"] == 0
        assert "turned" not in str(listener.on("offers"))


def test_what_is_told_and_heard_is_as_its_document_says(shared: Served, broker: Mosquitto) -> None:
    document = shared.http.get("/asyncapi.json").json()
    where = {"$id": "urn:asyncapi", **document}
    channels = {
        re.sub(r"\\{\w+\\}", "[^/]+", re.escape(channel["address"])): name
        for name, channel in document["channels"].items()
    }
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        for kind, asked in (
            ("demand", "demand_kw"),
            ("acknowledgement", "offer_kw"),
            ("hold", "hold_s"),
        ):
            publish(broker.port, f"set/gun/4/{kind}", json.dumps({asked: 0.5, "id": kind}))
        ordered: dict[str, dict[str, object]] = {
            "limit": {"limit_kw": 9},
            "clear_limits": {},
            "heartbeat": {},
            "policy": {"policy": "priority"},
            "gun_service": {"gun": 6, "in_service": True},
            "module_service": {"module": 9, "in_service": True},
            "clear_fault": {"fault": "module-9"},
            "acknowledge_fault": {"fault": "module-9"},
            "inject": {"fault": "rust 1:1"},
            "stop": {},
        }
        for kind, what in ordered.items():
            publish(broker.port, f"set/{kind}", json.dumps({**what, "id": kind}))
        of_gun = {"demand", "acknowledgement", "hold"}
        of_station = ordered.keys()
        eventually(lambda: {said["to"] for said in listener.on("gun/4/answer")} >= of_gun)
        eventually(lambda: {said["to"] for said in listener.on("answer")} >= of_station)
        accepted = {said["to"]: said["accepted"] for said in listener.on("answer")}
        refused = {"clear_fault", "acknowledge_fault", "inject"}
        assert accepted == {kind: kind not in refused for kind in of_station}
        assert shared.state()["stopped"]

        def goes_on() -> bool:
            publish(broker.port, "set/clear_fault", '{"fault": "emergency-stop"}')
            return not shared.state()["stopped"]

        eventually(goes_on)
        eventually(lambda: listener.last("state") and listener.last("gun/6/state"))
        publish(broker.port, "set/gun/4/demand", '{"demand_kw": 0}')
        heard = [(f"{ROOT}/{topic}", told) for topic, told, _ in listener.heard if told]
    told = set()
    for topic, payload in heard:
        (name,) = {name for address, name in channels.items() if re.fullmatch(address, topic)}
        told.add(name)
        message = document["components"]["messages"][name]
        schema = {"$ref": f"urn:asyncapi{message['payload']['$ref']}"}
        registry = jsonschema_rs.Registry([("urn:asyncapi", where)])
        jsonschema_rs.validator_for(schema, registry=registry).validate(payload)
        for example in message.get("examples", ()):
            jsonschema_rs.validator_for(schema, registry=registry).validate(example["payload"])
    assert told == set(channels.values())
    listened = {name for name, op in document["operations"].items() if op["action"] == "receive"}
    assert listened == of_gun | of_station
    assert document["servers"]["broker"]["host"] == f"127.0.0.1:{broker.port}"


def test_limits_are_taken_in_turn(shared: Served, broker: Mosquitto) -> None:
    """None displaces another, and what takes back does so before what comes after it."""
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        told = [{"limit_kw": 40 + gun, "gun": gun} for gun in range(1, 7)]
        messages = [("limit", each) for each in told]
        messages += [("clear_limits", {}), ("limit", {"limit_kw": 90}), ("limit", {"limit_kw": -1})]
        for number, (kind, what) in enumerate(messages):
            publish(broker.port, f"set/{kind}", json.dumps({**what, "id": str(number)}))
        eventually(lambda: len(listener.on("answer")) == 9)
        accepted = {each["id"]: each["accepted"] for each in listener.on("answer")}
        assert accepted == {str(number): number != 8 for number in range(9)}
        [standing] = shared.http.get("/api/v1/limits").json()
        assert (standing["gun"], standing["allows_kw"]) == (None, 90)
        [refused] = [each["said"] for each in listener.on("answer") if not each["accepted"]]
        assert refused.startswith("topic limit: limit_kw = -1: input should be greater")
        publish(broker.port, "set/clear_limits", "{}")
        eventually(lambda: shared.http.get("/api/v1/limits").json() == [])


def test_home_assistant_finds_the_station_and_its_guns(shared: Served, broker: Mosquitto) -> None:
    """Its templates are Jinja's; what they make of our messages is what it shows."""
    told = subprocess.run(
        [
            *("mosquitto_sub", "-p", str(broker.port), "-t", "homeassistant/#"),
            *("-F", "%r %t %p", "-C", "7", "-W", "20"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    devices = {}
    for retained, topic, text in (line.split(" ", 2) for line in told):
        found = re.fullmatch(r"homeassistant/device/([a-zA-Z0-9_-]+)/config", topic)
        assert retained == "1"
        assert found is not None
        devices[found[1]] = json.loads(text)
        assert devices[found[1]]["dev"]["ids"] == found[1]
    station = next(id for id, device in devices.items() if "via_device" not in device["dev"])
    assert {device["dev"].get("via_device", station) for device in devices.values()} == {station}
    ids = [each["unique_id"] for device in devices.values() for each in device["cmps"].values()]
    assert len(devices) == 7
    assert len(ids) == len(set(ids))

    publish(broker.port, "set/gun/3/demand", '{"demand_kw": 120}')
    with Listener(broker.port) as listener:
        eventually(lambda: (listener.last("gun/3/state") or {}).get("offer_kw") == 120)
        eventually(lambda: listener.last("gun/3/state")["energy_kwh"] > 0)
        energy_kwh = listener.last("gun/3/state")["energy_kwh"]

        def shown(device: str) -> dict[str, str]:
            heard = listener.last(devices[device]["state_topic"].removeprefix(f"{ROOT}/"))
            return {
                name: Template(each["value_template"]).render(value_json=heard)
                for name, each in devices[device]["cmps"].items()
            }

        gun = shown(f"{station}_gun_3")
        assert (gun["demand"], gun["offer"], gun["modules"]) == ("120.0", "120.0", "3")
        assert (gun["locked"], gun["out"]) == ("OFF", "OFF")
        assert float(gun["energy"]) >= energy_kwh
        eventually(lambda: shown(station)["offered"] == "120.0")
        whole = shown(station)
        assert float(whole["energy"]) >= energy_kwh
        assert (whole["faults"], whole["stopped"], whole["trouble"]) == ("0", "OFF", "OFF")
        assert whole["site_limit"] == "None"
        # There, until the last will says otherwise.
        (available,) = devices[station]["availability"]
        assert available["topic"] == f"{ROOT}/offers"
        template = Template(available["value_template"])
        assert template.render(value_json=listener.last("offers")) == "online"
        os.kill(shared.service_pid, 9)
        eventually(lambda: listener.last("offers")["online"] is False)
        assert template.render(value_json=listener.last("offers")) == "offline"
        eventually(shared.is_healthy)
        eventually(lambda: listener.last("offers")["online"])
    publish(broker.port, "set/gun/3/demand", '{"demand_kw": 0}')
    eventually(lambda: shared.gun(3)["live"] == [])


def test_a_message_larger_than_is_announced_does_not_come(
    shared: Served, broker: Mosquitto
) -> None:
    """The broker keeps it; what comes after it is heard."""
    before = refused(shared)
    publish(broker.port, "set/gun/4/demand", "x" * 20_000)
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        publish(broker.port, "set/gun/4/demand", '{"demand_kw": 0, "id": "after"}')
        eventually(lambda: (listener.last("gun/4/answer") or {}).get("id") == "after")
    assert refused(shared) == before


def test_a_retained_demand_is_refused(shared: Served, broker: Mosquitto) -> None:
    """A broker says so only to who subscribes after it was sent."""
    publish(broker.port, "set/gun/4/demand", '{"demand_kw": 0}', "-r")
    os.kill(shared.service_pid, 9)
    eventually(shared.is_healthy)
    eventually(lambda: refused(shared) == 1)
    publish(broker.port, "set/gun/4/demand", "", "-r")
    assert "retained; allowed is only what is sent now" in shared.said


def test_a_demand_is_as_old_as_it_says(shared: Served, broker: Mosquitto) -> None:
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        for age_s, accepted in ((4000, False), (3500, True), (0, True), (10, False)):
            told = {"demand_kw": 40, "sent_at": time.time() - age_s, "id": f"{age_s} s"}
            publish(broker.port, "set/gun/5/demand", json.dumps(told))
            answer = eventually(
                lambda name=told["id"]: [
                    said for said in listener.on("gun/5/answer") if said["id"] == name
                ]
            )
            assert answer[0]["accepted"] is accepted, answer


def test_when_the_service_is_gone_the_last_will_says_0(shared: Served, broker: Mosquitto) -> None:
    with Listener(broker.port) as listener:
        eventually(lambda: (listener.last("offers") or {}).get("online"))
        os.kill(shared.service_pid, 9)
        eventually(lambda: listener.last("offers")["online"] is False)
        assert [row["offer_kw"] for row in listener.last("offers")["offers"]] == [0] * 6
        eventually(lambda: listener.last("offers")["online"])  # it is back


def test_the_end_says_0_and_leaves_it_there(shared: Served, broker: Mosquitto) -> None:
    assert shared.end() == 0
    with Listener(broker.port) as listener:
        eventually(lambda: listener.last("offers"))
        assert listener.heard[0][2]  # retained
        assert listener.last("offers")["online"] is False
        assert [row["offer_kw"] for row in listener.last("offers")["offers"]] == [0] * 6


@pytest.mark.slow
def test_a_broker_that_is_down_at_start_and_goes_away(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, start=False)
    service = f'mqtt = "mqtt://127.0.0.1:{broker.port}"\n'
    with Served(tmp_path, service=service, timeout_s=6, ready=False) as at_work, broker:
        eventually(at_work.is_healthy)
        assert "mqtt_connected 0.0" in at_work.http.get("/metrics").text
        # Above every other gun's; the second time it is 4 s old already and counts for 2 s more.
        for age_s in (0, 4):
            broker.start()
            with Listener(broker.port) as listener:
                eventually(lambda heard=listener: heard.last("offers"))
                told = {"demand_kw": 300, "id": "now", "sent_at": time.time() - age_s}
                publish(broker.port, "set/gun/1/demand", json.dumps(told))
                eventually(lambda heard=listener: heard.last("gun/1/answer"))
            broker.kill()
            # What was acknowledged is obeyed without a broker, until it is too old.
            assert at_work.gun(1)["demand_kw"] == 300
            eventually(lambda: at_work.gun(1)["demand_kw"] == 0)
            eventually(lambda: at_work.gun(1)["live"] == [])
        assert at_work.end() == 0
        assert "Violations: 0" in at_work.said


@pytest.mark.parametrize("right", [True, False])
def test_tls_and_a_password(tmp_path: Path, right: bool) -> None:
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", *subject),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", tmp_path / "key", "-out", tmp_path / "ca"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "key").chmod(0o644)
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", tmp_path / "passwords", "station", "right password"],
        check=True,
    )
    (tmp_path / "passwords").chmod(0o644)
    secret = tmp_path / "secret"
    secret.write_text(f"{'right' if right else 'wrong'} password\n")
    secret.chmod(0o600)
    settings = f"""allow_anonymous false
password_file {tmp_path}/passwords
certfile {tmp_path}/ca
keyfile {tmp_path}/key
user root
"""
    with Mosquitto(tmp_path, settings) as broker:
        service = f"""mqtt = "mqtts://127.0.0.1:{broker.port}"
mqtt_ca_file = "{tmp_path}/ca"
mqtt_user = "station"
mqtt_password_file = "{secret}"
"""
        with Served(tmp_path, service=service, ready=False) as at_work:
            eventually(at_work.is_healthy)
            if right:
                eventually(lambda: "mqtt_connected 1.0" in at_work.http.get("/metrics").text)
            else:
                eventually(lambda: "MQTT broker" in at_work.said)
                assert "mqtt_connected 0.0" in at_work.http.get("/metrics").text
            assert "password" not in at_work.said.lower().replace("bad user name or password", "")
