"""Begins a run at Weights & Biases, without prompts and without long waits.

A training must not stop because a server does not answer or a login is missing: the run is then
kept offline, and one warning says why.
"""

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

#: Modes of W&B's settings; "dryrun" is a former name of "offline". All others count as online.
_MODES: dict[str, Mode] = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
UPLOAD_TIMEOUT = 120.0  # seconds at the end of a run; data not uploaded by then stay on disk
PUBLIC_HOST = "api.wandb.ai"  # host under which `wandb login` stores the key of the public server


def connect(folder: Path, mode: Mode | None, timeout: float, **init: Any) -> tuple[Run, Mode]:
    """Begin a run; offline if the server cannot be reached.

    Args:
        folder: W&B keeps its files in the subfolder ``wandb`` of this folder.
        mode: mode that the user chose; None follows W&B's settings.
        timeout: seconds to wait for the server.
        init: further arguments of ``wandb.init``, such as project and config.

    Returns:
        The run and its mode.
    """
    chosen = choose_mode(mode)
    try:
        return _init(folder, chosen, timeout, init), chosen
    except Exception as error:  # such as no network or a refused login: the training goes on
        if chosen != "online":
            raise
        _warn((str(error) or type(error).__name__).splitlines()[0])
        return _init(folder, "offline", timeout, init), "offline"


def run_with_timeout(seconds: float, action: Callable[[], str]) -> str:
    """Run an action with a time limit; the action goes on in the background after the limit.

    Returns:
        What the action returns; an error of the action is raised.

    Raises:
        TimeoutError: the action took longer than `seconds`.
    """
    done: queue.Queue[tuple[str, BaseException | None]] = queue.Queue()

    def act() -> None:
        try:
            done.put((action(), None))
        except BaseException as error:
            done.put(("", error))

    # The interpreter does not wait for a daemon thread when it exits.
    threading.Thread(target=act, daemon=True).start()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} seconds") from None
    if error is not None:
        raise error
    return result


def choose_mode(wanted: Mode | None) -> Mode:
    """The mode that the user chose, else that of W&B's settings; offline without an API key.

    W&B's settings are ``WANDB_MODE`` and the files that ``wandb offline`` and ``wandb disabled``
    write.
    """
    import wandb

    settings = wandb.setup().settings
    # "shared" needs a key, too, and counts as online; "run" is a former name of "online".
    mode: Mode = wanted or _MODES.get(settings.mode, "online")
    if mode != "online" or _has_key(settings):
        return mode
    if wanted == "online" or os.environ.get("WANDB_MODE") == "online":
        _warn("no API key is set; `wandb login` sets one")
    return "offline"


def _has_key(settings: Any) -> bool:
    """Whether W&B can log in without a prompt: by settings, environment or a netrc file."""
    if settings.api_key or getattr(settings, "identity_token_file", None):
        return True
    host = urlsplit(settings.base_url).netloc
    default = type(settings).model_fields["base_url"].default
    hosts = {host, PUBLIC_HOST} if settings.base_url == default else {host}
    netrc_file = os.environ.get("NETRC")
    in_home = [Path.home() / name for name in (".netrc", "_netrc")]  # "_netrc" is Windows' name
    paths = [Path(netrc_file)] if netrc_file else in_home
    return any(_has_login(path, host) for path in paths for host in hosts)


def _has_login(path: Path, host: str) -> bool:
    try:
        return netrc.netrc(str(path)).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _init(folder: Path, mode: Mode, timeout: float, init: dict[str, Any]) -> Run:
    import wandb

    wanted = {
        "silent": True,
        "console": "off",  # by default W&B would capture and upload the terminal's output
        "disable_code": True,  # the user did not ask to publish sources or the state of git
        "disable_git": True,
        "init_timeout": timeout,
        "login_timeout": 1.0,  # ends a prompt that appears in spite of the checks above
        "finish_timeout": UPLOAD_TIMEOUT,
    }
    # Other versions of wandb may lack one of these settings.
    known = {key: value for key, value in wanted.items() if key in wandb.Settings.model_fields}
    settings = wandb.Settings(**known)
    folder.mkdir(parents=True, exist_ok=True)
    # "create_new" leaves a run alone that the user's own code has open.
    return wandb.init(dir=str(folder), mode=mode, reinit="create_new", settings=settings, **init)


def _warn(reason: str) -> None:
    text = f"Weights & Biases cannot be reached, so the run is kept offline: {reason}"
    warnings.warn(text, RuntimeWarning, stacklevel=4)
