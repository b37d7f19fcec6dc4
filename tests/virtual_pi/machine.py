"""A Raspberry Pi 3 in QEMU: its power, its console, and the sockets that its wires end in."""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from image import Image

KERNEL_OPTIONS = "console=ttyS1,115200 loglevel=4 panic=-1 rootfstype=ramfs isolcpus=1-3"
BOOT_S = 240
"""Software emulation on a busy machine; 20 s on a quiet one."""

_TAGGED = re.compile(r"@(\d+) (.*)")


class Command:
    """A program in the machine, and what it has printed so far."""

    def __init__(self, text: str, listener: Callable[[str], None]) -> None:
        self.text = text
        self.lines: list[str] = []
        self.pid: int | None = None
        self.exit_code: int | None = None
        self._listener = listener
        self._news = threading.Condition(threading.RLock())

    def hear(self, line: str) -> None:
        """A line from it, or from the shell about it."""
        with self._news:
            if line.startswith("pid ") and self.pid is None:
                self.pid = int(line[4:])
            elif line.startswith("exit "):
                self.end(int(line[5:]))
            else:
                self.lines.append(line)
                self._listener(line)
            self._news.notify_all()

    def end(self, exit_code: int) -> None:
        """It has ended."""
        with self._news:
            self.exit_code = exit_code
            self._listener("")
            self._news.notify_all()

    def wait(self, timeout_s: float, until: Callable[[], object] | None = None) -> None:
        """Until it has ended, or until that. Raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(
                lambda: self.exit_code is not None or (until is not None and until()), timeout_s
            ):
                raise TimeoutError(
                    f"{self.text}: not after {timeout_s} s\n" + "\n".join(self.lines)
                )


class Machine:
    """Switched on when it is made. `log` gets every line of its console.

    folder: holds its sockets: `usb` is its port, `lines` QEMU's own access to its pins.
    """

    def __init__(self, image: Image, folder: Path, log: Callable[[str], None]) -> None:
        self._log = log
        self._commands: dict[int, Command] = {}
        self._up = threading.Event()
        sockets = {name: folder / name for name in ("usb", "console", "lines", "power")}
        server = {name: f"unix:{path},server=on,wait=off" for name, path in sockets.items()}
        options: dict[str, object] = {
            "machine": "raspi3b",
            "accel": "tcg,thread=single",
            "display": "none",
            "kernel": image.kernel,
            "dtb": image.device_tree,
            "initrd": image.initrd,
            "append": KERNEL_OPTIONS,
            "qtest": server["lines"],
            "qtest-log": "none",
            "qmp": server["power"],
            "chardev": server["usb"].replace("unix:", "socket,id=usb,path="),
            "device": "usb-redir,chardev=usb",
        }
        words = [word for name, value in options.items() for word in (f"-{name}", str(value))]
        serial = ["-serial", "null", "-serial", server["console"]]
        qemu = ["qemu-system-aarch64", "-nodefaults", *words, *serial]
        self._qemu = subprocess.Popen(  # and it ends with us, however that may be
            ["setpriv", "--pdeathsig", "KILL", *qemu], stdin=subprocess.DEVNULL
        )
        self.usb, self._console, self.lines, self._power = (
            _connected(path, self._qemu) for path in sockets.values()
        )
        self._power_answers = self._power.makefile()
        self._power_answers.readline()
        self._ask_power("qmp_capabilities")
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Pull the plug."""
        self._qemu.kill()
        self._qemu.wait()

    def wait_until_up(self) -> None:
        """Until its shell answers. Raises TimeoutError."""
        if not self._up.wait(BOOT_S):
            raise TimeoutError(f"the virtual Pi is not up after {BOOT_S} s")

    def reset(self) -> None:
        """Its reset line, which a watchdog or a hand pulls."""
        self._up.clear()
        for command in self._commands.values():
            if command.exit_code is None:
                command.end(-1)
        self._ask_power("system_reset")

    def start(self, text: str, listener: Callable[[str], None] = lambda line: None) -> Command:
        """Start a program by a shell's words. The listener hears its lines, and an empty one when
        it has ended."""
        number = len(self._commands)
        command = self._commands[number] = Command(text, listener)
        words = f"sh -c 'echo pid $$; exec {text}' </dev/null 2>&1; echo exit $?"
        tag = f'while read -r line; do echo "@{number} $line"; done'
        self._console.sendall(f"{{ {words}; }} | {tag} &\n".encode())
        return command

    def run(self, text: str, timeout_s: float = 60) -> list[str]:
        """What a program prints. It must end well."""
        command = self.start(text)
        command.wait(timeout_s)
        if command.exit_code:
            raise RuntimeError(f"{text}: exit {command.exit_code}\n" + "\n".join(command.lines))
        return command.lines

    def kill_all(self) -> None:
        """Kill what still runs."""
        for command in list(self._commands.values()):
            if command.exit_code is None and command.pid is not None:
                self.run(f"kill -9 {command.pid}")
                command.wait(60)

    def _listen(self) -> None:
        for raw in self._console.makefile("rb"):
            line = raw.decode(errors="replace").rstrip()
            self._log(line)
            tagged = _TAGGED.search(line)
            if tagged:
                self._commands[int(tagged[1])].hear(tagged[2])
            elif "virtual Pi: up" in line:
                self._up.set()

    def _ask_power(self, what: str) -> None:
        self._power.sendall(json.dumps({"execute": what}).encode())
        while "return" not in json.loads(self._power_answers.readline()):
            pass


def _connected(path: Path, qemu: "subprocess.Popen[bytes]") -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    while qemu.poll() is None:
        try:
            stream.connect(str(path))
        except OSError:
            time.sleep(0.1)
        else:
            return stream
    raise RuntimeError(f"QEMU does not start: exit {qemu.returncode}")
