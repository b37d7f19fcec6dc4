"""The OpenAPI document against the running service: schemathesis tries to break it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from service.served import Served, eventually

EXAMPLES = 6
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)


@pytest.mark.slow
def test_schemathesis_finds_nothing_and_leaves_the_station_unharmed(tmp_path: Path) -> None:
    with Served(tmp_path) as at_work:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{at_work.url}/openapi.json"),
                *("--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "7"),
                # The stream has no end; /healthz is 503 by design; injected faults do harm.
                *("--exclude-path-regex", "^(/api/v1/stream|/healthz|/api/v1/simulation/faults)$"),
                *("--no-color", "--phases", "examples,fuzzing"),
                *("--suppress-health-check", "all"),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert re.search(r"\d+ generated", done.stdout), done.stdout[-3000:]

        assert at_work.is_healthy()
        for fault in at_work.state()["faults"]:
            if fault["id"] == "emergency-stop":
                at_work.http.delete("/api/v1/faults/emergency-stop")
        for gun in range(1, 7):
            at_work.http.put(f"/api/v1/guns/{gun}/service", json={"in_service": True})
            at_work.http.delete(f"/api/v1/guns/{gun}/hold")
        for module in range(1, 10):
            at_work.http.put(f"/api/v1/modules/{module}/service", json={"in_service": True})
        at_work.http.delete("/api/v1/limits")
        at_work.to_rest()
        at_work.ask(1, 240)
        eventually(lambda: at_work.gun(1)["offer_kw"] == 240)
        assert at_work.end() == 0
        assert "Violations: 0" in at_work.said
