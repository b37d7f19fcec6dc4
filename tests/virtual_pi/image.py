"""What the virtual Pi boots: Debian's arm64 kernel, and a root file system with the wheel on it.

Made of Debian's packages and PyPI's wheels alone; nothing is compiled. What is downloaded stays in
`.venv/virtual-pi`; the project's own wheel is built and installed anew each time.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".venv" / "virtual-pi"

SUITE, PYTHON, GLIBC = "bookworm", "3.11", 36
DEBIAN = ("python3", "libstdc++6", "linux-image-arm64", "kmod", "busybox-static")
SITE = Path(f"usr/local/lib/python{PYTHON}/dist-packages")

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-system-aarch64": "qemu-system-arm",
    "fdtput": "device-tree-compiler",
    "cpio": "cpio",
    "zstd": "zstd",
}
"""What must be on the machine, and the Debian package that has it."""

ON_BOARD = (
    *("bin", "sbin", "lib/aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1", "lib/modules"),
    *("usr/bin/python3", f"usr/bin/python{PYTHON}", "usr/lib/python3", f"usr/lib/python{PYTHON}"),
    *("usr/lib/aarch64-linux-gnu", "usr/local"),
)
"""Of Debian, what the machine uses. All of it lies in its memory, a Pi's gigabyte."""

NOT_ON_BOARD = {"ortools", "numpy", "numpy.libs", "pandas", "setuptools", "pip"}
"""Python packages that a station of equal modules does not use; they would double that memory."""

MODULES = {
    *("usb-common", "usbcore", "udc-core", "roles", "phy-generic", "dwc2"),
    *("i2c-tiny-usb", "i2c-dev", "gpio_wdt"),
}
"""Of the kernel's, those that it loads."""

WATCHDOG_PIN = 13
"""The hardware watchdog of this board hangs on a line of its own, as on many carrier boards: QEMU's
model of the Pi's own resets as soon as it is started."""

INIT = """\
#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LG_WD=/tmp
busybox mkdir -p /proc /sys /dev /tmp /run /root /var/run /var/lib
busybox mount -t proc proc /proc
busybox --install -s /bin 2>/dev/null
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
stty -echo
# gpiozero asks it which Pi this is; QEMU's device tree does not say.
(cat /proc/cpuinfo; echo "Revision : a02082") >/run/cpuinfo
mount --bind /run/cpuinfo /proc/cpuinfo
/sbin/depmod
/sbin/modprobe -a phy-generic dwc2 i2c-tiny-usb i2c-dev gpio_wdt
until [ -e /dev/i2c-0 ]; do usleep 100000; done
echo 1 >/proc/sys/kernel/printk  # what the drivers say of injected faults is in dmesg
echo "virtual Pi: up after $(cut -d' ' -f1 /proc/uptime) s"
while true; do
    while read -r line; do eval "$line"; done
done
"""
"""A shell of sorts on the console."""


class Image(NamedTuple):
    """The files that QEMU starts from."""

    kernel: Path
    device_tree: Path
    initrd: Path


def missing(*tools: str) -> str:
    """Empty, or a sentence that says what is not there: packages for these tools, for all of them
    where none is named, or the rights of root."""
    packages = [TOOLS[tool] for tool in tools or TOOLS if shutil.which(tool) is None]
    if packages:
        return f"missing on this machine: apt install {' '.join(packages)}"
    return "run it as root: it unpacks a Debian and enters it (chroot)" if os.geteuid() else ""


def debian() -> Path:
    """Debian for arm64, unpacked, with the wheel installed and all that it needs on a Pi."""
    CACHE.mkdir(parents=True, exist_ok=True)
    tree = CACHE / "debian"
    if not _is_made(tree, " ".join(DEBIAN)):
        shutil.rmtree(tree, ignore_errors=True)
        _run(
            *("mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64"),
            *(f"--include={','.join(DEBIAN)}", SUITE, tree),
        )
        shutil.copy(str(shutil.which("qemu-aarch64-static")), tree)
        python(tree, "-m", "compileall", "-q", f"/usr/lib/python{PYTHON}")
        _made(tree, " ".join(DEBIAN))
    _install(tree / SITE)
    return tree


def python(tree: Path, *arguments: str) -> str:
    """What the arm64 Python in that tree prints, in user-mode emulation and with nothing of this
    machine within reach. Needs root, but no binfmt."""
    return _run("chroot", tree, "/qemu-aarch64-static", "/usr/bin/python3", *arguments)


def image(files: dict[str, str]) -> Image:
    """Pack the tree, and over it these files by path."""
    tree = debian()
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    (board,) = (tree / "usr/lib").glob("linux-image-*/broadcom/bcm2837-rpi-3-b.dtb")
    made = Image(kernel, CACHE / "board.dtb", CACHE / "initrd")
    shutil.copy(board, made.device_tree)
    _fit_watchdog(made.device_tree)
    overlay = CACHE / "overlay"
    shutil.rmtree(overlay, ignore_errors=True)
    for path, text in {"init": INIT, **files}.items():
        (overlay / path).parent.mkdir(parents=True, exist_ok=True)
        (overlay / path).write_text(text)
    (overlay / "init").chmod(0o755)
    laid_over = {path.relative_to(overlay) for path in overlay.rglob("*")}
    made.initrd.write_bytes(_packed(tree, _on_board(tree)) + _packed(overlay, laid_over))
    return made


def _install(site: Path) -> None:
    """What the wheel needs, for CPython on aarch64, once; and the wheel, each time."""
    built = CACHE / "wheel"
    shutil.rmtree(built, ignore_errors=True)
    _run(*(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, ROOT))
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    pip += [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(GLIBC, 16, -1)]
    pip += ["--target", str(site), "--upgrade"]
    wanted = (ROOT / "pyproject.toml").read_text()
    if not _is_made(site, wanted):
        shutil.rmtree(site, ignore_errors=True)
        _run(*pip, f"{wheel}[pi]")
        _made(site, wanted)
    _run(*pip, "--no-deps", wheel)


def _on_board(tree: Path) -> set[Path]:
    """The paths, in that tree, of what the machine uses."""
    found: set[Path] = set()
    for top in ON_BOARD:
        for path in (Path(top), *(path.relative_to(tree) for path in (tree / top).rglob("*"))):
            left_out = path.suffix == ".ko" and path.stem not in MODULES
            if not left_out and NOT_ON_BOARD.isdisjoint(path.parts):
                found.add(path)
    return found | {parent for path in found for parent in path.parents if parent.name}


def _fit_watchdog(device_tree: Path) -> None:
    """Add the watchdog to the board's description: it wants an edge each second."""
    lines = _run("fdtget", "-t", "i", device_tree, "/soc/gpio@7e200000", "phandle").strip()
    _run("fdtput", "-r", device_tree, "/soc/serial@7e201000/bluetooth")
    node = (device_tree, "/watchdog")
    _run("fdtput", "-c", *node)
    _run("fdtput", "-t", "s", *node, "compatible", "linux,wdt-gpio")
    _run("fdtput", "-t", "s", *node, "hw_algo", "toggle")
    _run("fdtput", "-t", "i", *node, "hw_margin_ms", "1000")
    _run("fdtput", "-t", "i", *node, "gpios", lines, str(WATCHDOG_PIN), "0")


def _packed(folder: Path, paths: set[Path]) -> bytes:
    names = "".join(f"{path}\0" for path in sorted(paths))
    archive = subprocess.run(
        ["cpio", "--null", "--create", "--format=newc", "--quiet"],
        cwd=folder,
        input=names.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return subprocess.run(
        ["zstd", "-q", "-3", "-T0"], input=archive, stdout=subprocess.PIPE, check=True
    ).stdout


def _is_made(folder: Path, of: str) -> bool:
    stamp = folder / "made-of"
    return stamp.exists() and stamp.read_text() == of


def _made(folder: Path, of: str) -> None:
    (folder / "made-of").write_text(of)


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout
