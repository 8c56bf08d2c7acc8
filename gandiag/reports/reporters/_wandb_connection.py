"""How a run at Weights & Biases begins: without ever asking, and without waiting for long."""

from __future__ import annotations

import netrc
import os
import queue
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wandb import Run


Mode = Literal["online", "offline", "disabled"]

_MODES: dict[str, Mode] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
UPLOAD = 120.0  # seconds to wait for the last upload; what is left stays on disk
PUBLIC = "api.wandb.ai"  # under which `wandb login` has kept keys of the public server


def connect(folder: Path, mode: Mode | None, timeout: float, **about: Any) -> tuple[Run, Mode]:
    """Begin a run, offline where the server cannot be reached.

    Args:
        folder: W&B's own files go to ``wandb`` in it.
        mode: what the user asked for, if anything.
        timeout: seconds to wait for the server.
        about: further arguments of ``wandb.init``, such as project and config.

    Returns:
        The run and its mode.
    """
    chosen = choose_mode(mode)
    try:
        return _init(folder, chosen, timeout, about), chosen
    except Exception as error:  # no network, a refused login: no reason to end a training
        if chosen != "online":
            raise
        _warn((str(error) or type(error).__name__).splitlines()[0])
        return _init(folder, "offline", timeout, about), "offline"


def within(seconds: float, action: Callable[[], str]) -> str:
    """What an action returns or raises; it is left to itself where that takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    done: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()

    def act() -> None:
        try:
            done.put((action(), None))
        except BaseException as error:
            done.put(("", error))

    threading.Thread(target=act, daemon=True).start()  # which no interpreter waits for at its end
    try:
        found, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return found


def choose_mode(asked: Mode | None) -> Mode:
    """What was asked for, else what W&B's settings say; offline where there is no key.

    Settings are ``WANDB_MODE`` and what ``wandb offline`` and ``wandb disabled`` left behind.
    """
    import wandb

    settings = wandb.setup().settings
    # "shared", which needs a key too, counts as online; "dryrun" and "run" are old words
    mode: Mode = asked or _MODES.get(settings.mode, "online")
    if mode != "online" or _has_key(settings):
        return mode
    if asked == "online" or os.environ.get("WANDB_MODE") == "online":
        _warn("no API key is set; `wandb login` sets one")
    return "offline"


def _has_key(settings: Any) -> bool:
    """Whether W&B can log in without asking: by its settings, the environment or a netrc file."""
    if settings.api_key or getattr(settings, "identity_token_file", None):
        return True
    host = urlsplit(settings.base_url).netloc
    default = type(settings).model_fields["base_url"].default
    hosts = {host, PUBLIC} if settings.base_url == default else {host}
    named = os.environ.get("NETRC")
    paths = [Path(named)] if named else [Path.home() / name for name in (".netrc", "_netrc")]
    return any(_knows(path, host) for path in paths for host in hosts)


def _knows(path: Path, host: str) -> bool:
    try:
        return netrc.netrc(str(path)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _init(folder: Path, mode: Mode, timeout: float, about: dict[str, Any]) -> Run:
    import wandb

    wanted = {
        "silent": True,
        "console": "off",  # our output is not W&B's to catch
        "disable_code": True,  # sources and git state were not asked for
        "disable_git": True,
        "init_timeout": timeout,
        "login_timeout": 1.0,  # should it ask after all, nobody answers
        "finish_timeout": UPLOAD,
    }
    known = {key: value for key, value in wanted.items() if key in wandb.Settings.model_fields}
    settings = wandb.Settings(**known)
    folder.mkdir(parents=True, exist_ok=True)
    # create_new: a run that the user's own code has open stays theirs
    return wandb.init(dir=folder, mode=mode, reinit="create_new", settings=settings, **about)


def _warn(reason: str) -> None:
    text = f"Weights & Biases cannot be reached, so the run is kept offline: {reason}"
    warnings.warn(text, RuntimeWarning, stacklevel=4)
