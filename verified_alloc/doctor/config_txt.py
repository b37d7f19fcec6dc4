"""The Raspberry Pi's config.txt, as far as a station depends on it."""

import re
from pathlib import Path

_PLACES = ("boot/firmware/config.txt", "boot/config.txt")  # bookworm and later; before

_DEFAULT_BAUDRATE = 100_000

# Which lines (BCM) a parameter or an overlay takes away from GPIO.
_SPI = (7, 8, 9, 10, 11)
_PARAMETERS = {"spi": _SPI, "i2s": (18, 19, 20, 21)}
_OVERLAYS = {
    "w1-gpio": (4,),
    "spi1-1cs": (18, 19, 20, 21),
    "spi1-2cs": (17, 18, 19, 20, 21),
    "spi1-3cs": (16, 17, 18, 19, 20, 21),
    "hifiberry-dac": (18, 19, 20, 21),
    "pwm": (18,),
    "pwm-2chan": (18, 19),
    "gpio-ir": (18,),
    "gpio-shutdown": (3,),
    "gpio-fan": (12,),
    "miniuart-bt": (),
    "i2c3": (4, 5),
    "i2c4": (8, 9),
    "i2c5": (12, 13),
    "i2c6": (22, 23),
    "i2c2-pi5": (4, 5),
    "i2c3-pi5": (6, 7),
    "i2c-gpio": (23, 24),
}


class ConfigTxt:
    """Its `dtparam` and `dtoverlay` lines; the last of a name counts. Sections that are for other
    models are read as well: rather too much than too little."""

    def __init__(self, text: str) -> None:
        self._parameters: dict[str, str] = {}
        self._overlays: dict[str, dict[str, str]] = {}
        overlay: dict[str, str] | None = None
        for line in text.splitlines():
            key, _, value = line.partition("#")[0].strip().partition("=")
            if key == "dtoverlay":
                name, *settings = value.split(",")
                overlay = self._overlays.setdefault(name, {}) if name else None
                if overlay is not None:
                    overlay.update(map(_setting, settings))
            elif key == "dtparam":
                # After an overlay they are its own, until an empty dtoverlay.
                target = self._parameters if overlay is None else overlay
                target.update(map(_setting, value.split(",")))
                self._parameters.update(map(_setting, value.split(",")))

    @staticmethod
    def read(root: Path) -> "ConfigTxt | None":
        """The one of the machine whose files are below `root`; None if there is none."""
        for place in _PLACES:
            try:
                return ConfigTxt((root / place).read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
        return None

    def parameter(self, name: str) -> str | None:
        """What `dtparam=name=...` says; empty for one without a value, None for none."""
        aliases = {"i2c_arm": "i2c", "i2c_arm_baudrate": "i2c_baudrate"}
        return self._parameters.get(name, self._parameters.get(aliases.get(name, name)))

    def i2c_baudrate(self) -> int:
        """The speed of I2C bus 1, Hz."""
        rate = self.parameter("i2c_arm_baudrate") or ""
        return int(rate) if rate.isdigit() and int(rate) else _DEFAULT_BAUDRATE

    def claimed_lines(self) -> dict[str, tuple[int, ...]]:
        """The lines (BCM) that config.txt gives to something else, by what it gives them to."""
        claimed = {
            f"dtparam={name}": lines
            for name, lines in _PARAMETERS.items()
            if self.parameter(name) in ("on", "yes", "true", "1", "")
        }
        for name, settings in self._overlays.items():
            lines = _OVERLAYS.get(name, ())
            if settings.get("gpiopin", "").isdigit():
                lines = (int(settings["gpiopin"]),)
            for setting in settings:
                if pins := re.fullmatch(r"pins_(\d+)_(\d+)", setting):
                    lines = (int(pins[1]), int(pins[2]))
            if name == "i2c-gpio":
                named = (settings.get(f"i2c_gpio_{wire}", "") for wire in ("sda", "scl"))
                lines = tuple(
                    int(pin) if pin.isdigit() else line
                    for pin, line in zip(named, lines, strict=True)
                )
            if lines:
                claimed[f"dtoverlay={name}"] = lines
        return claimed


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value
