"""What a column of somebody's log is, by its name.

A name is cut into words: ``Loss/D_fake`` says loss, d, fake. Some words make a column a
discriminator's loss, some forbid it, some say nothing; a name with fewer words that are not known
is the better guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

STEP, EPOCH = "step", "epoch"
ROLES = (
    STEP,
    "discriminator_loss",
    "discriminator_loss_real",
    "discriminator_loss_fake",
    "generator_loss",
    "class_loss",
)

_PLAYERS = {
    **dict.fromkeys(("d", "disc", "dis", "discrim", "discriminator", "critic", "netd"), "d"),
    **dict.fromkeys(("g", "gen", "generator", "netg"), "g"),
}
_LOSS = {"loss", "losses", "err", "error", "cost", "objective"}
_REAL, _FAKE = {"real"}, {"fake"}
_ADVERSARIAL = {"adv", "adversarial", "gan"}
_PLAIN = {"train", "training", "trainer", "total", "mean", "value", "values", "running", "scalar",
          "scalars", "metrics", "log", "logs", "step", "batch", "iter", "net", "model", "current",
          "per"}  # fmt: skip
_SMOOTHED = {"avg", "average", "ema", "smooth", "smoothed", "epoch"}
_CLASS = {"class", "classes", "cls", "classification", "aux", "auxiliary", "contrastive", "ac",
          "cond", "conditional", "info", "mi"}  # fmt: skip
_OTHER = {  # statistics of a loss, and losses that are not the game's
    "std", "var", "num", "count", "min", "max", "val", "valid", "validation", "test",
    "eval", "grad", "grads", "gradient", "norm", "lr", "rate", "time", "sec", "secs",
    "seconds", "acc", "accuracy", "score", "scores", "logit", "logits", "prob", "probs",
    "weight", "weights", "lambda", "gp", "penalty", "r1", "r2", "reg", "regularization",
    "regularizer", "pl", "l1", "l2", "pix", "pixel", "percep", "perceptual", "vgg", "lpips",
    "fm", "feat", "feature", "features", "matching", "mel", "cyc", "cycle", "idt",
    "identity", "kl", "rec", "recon", "reconstruction", "style", "tv", "steps",
}  # fmt: skip
_STEPS = {
    **dict.fromkeys(("step", "steps", "iter", "iters", "iteration", "iterations"), STEP),
    **dict.fromkeys(("it", "itr", "update", "updates", "niter"), STEP),
    **dict.fromkeys(("batch", "batches", "i", "idx", "minibatch"), STEP),
    **dict.fromkeys(("epoch", "epochs", "ep"), EPOCH),
    **dict.fromkeys(("kimg", "kimgs"), "kimg"),
    **dict.fromkeys(("nimg", "image", "images", "img", "imgs", "samples"), "image"),
    **dict.fromkeys(("tick", "ticks"), "tick"),
}
_WITHIN = {"batch", "batches", "i", "idx", "minibatch"}  # often begin anew with each epoch
_UNITS = (STEP, "kimg", "image", "tick", EPOCH)  # the finer, the better
_COUNTING = {"global", "total", "train", "training", "trainer", "progress", "current", "cur",
             "num", "number", "no", "n", "count", "mean"}  # fmt: skip
_GLUED = re.compile(
    r"(d|g|disc|dis|gen|discriminator|generator|critic|adv|cls|class)(loss|losses|err|error|cost)"
    r"|(loss|err|error)(d|g|disc|dis|gen|discriminator|generator|critic)"
    r"|(net)(d|g)"
    r"|(global|g|d)(step|iter)"
)


def best(role: str, names: Iterable[str]) -> tuple[str, ...]:
    """The columns whose names fit a role best: none, one, or several that fit alike.

    >>> best("discriminator_loss", ["errD", "errG", "D_x", "errD_real"])
    ('errD',)
    >>> best("discriminator_loss", ["loss_D_A", "loss_D_B"])
    ('loss_D_A', 'loss_D_B')
    """
    found = {name: misfit for name in names if (misfit := _misfit(role, name)) is not None}
    least = min(found.values(), default=0.0)
    return tuple(name for name, misfit in found.items() if misfit == least)


def adversarial(name: str) -> bool:
    """Whether a name says that a loss is the adversarial one alone, with nothing added to it.

    >>> adversarial("disc_adv_loss"), adversarial("disc_total_loss")
    (True, False)
    """
    return bool(set(_words(name)) & {"adv", "adversarial"})


def unit_of(name: str) -> str:
    """What a column of positions counts.

    >>> unit_of("Epoch"), unit_of("Progress/kimg"), unit_of("n")
    ('epoch', 'kimg', 'step')
    """
    units = [_STEPS[word] for word in _words(name) if word in _STEPS]
    return units[-1] if units else STEP


def _misfit(role: str, name: str) -> float | None:
    """How badly a name fits a role: words that it could do without; None if it does not fit."""
    words = _words(name)
    if role in (STEP, EPOCH):
        return _misfit_of_position(role, name, words)
    players = [_PLAYERS[word] for word in words if word in _PLAYERS]
    rest = {word for word in words if word not in _PLAYERS}
    says_loss = bool(rest & _LOSS) or words[:1] == ["l"]
    rest -= _LOSS | {"l"}
    if rest & _OTHER or not (says_loss or (len(words) == 1 and players)):
        return None
    player = players[-1] if players else None  # loss_disc_fake_g is the generator's
    part = "class_loss" if rest & _CLASS else _part(player, rest)
    if part != role or (part == "class_loss" and player == "g"):
        return None
    rest -= _CLASS if role == "class_loss" else _REAL | _FAKE
    misfit = 0.0 if says_loss else 4.0  # a bare "D"
    misfit -= 0.5 * bool(rest & _ADVERSARIAL)  # apart from whatever is added to it
    misfit += 0.25 * len(rest & _SMOOTHED)
    return misfit + len(rest - _ADVERSARIAL - _SMOOTHED - _PLAIN)


def _part(player: str | None, words: set[str]) -> str | None:
    """Whose loss it is, and which part of it."""
    if player != "d":
        return "generator_loss" if player == "g" else None
    real, fake = bool(words & _REAL), bool(words & _FAKE)
    return "discriminator_loss" + ("_real" * (real and not fake) + "_fake" * (fake and not real))


def _misfit_of_position(role: str, name: str, words: list[str]) -> float | None:
    units = [_STEPS[word] for word in words if word in _STEPS]
    if (
        not units
        or words[-1] in ("num", "count")
        or set(words) & (_OTHER - {"num", "count", "steps"} | _LOSS)
    ):
        return None
    if role == EPOCH:
        return None if units[-1] != EPOCH else 0.0
    unknown = [word for word in words if word not in _STEPS and word not in _COUNTING]
    misfit = 8.0 * _UNITS.index(units[-1]) + 2 * len(unknown)
    misfit += 1.0 * name.startswith("_")  # W&B's own count of calls
    misfit += 0.5 * bool(set(words) & _WITHIN)
    return misfit - 0.25 * ("global" in words)


def _words(name: str) -> list[str]:
    """Cut a name into its words.

    >>> _words("Loss/D_fake"), _words("errD"), _words("netDLoss"), _words("dloss")
    (['loss', 'd', 'fake'], ['err', 'd'], ['net', 'd', 'loss'], ['d', 'loss'])
    """
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+", name)
    words: list[str] = []
    for part in map(str.lower, parts):
        glued = _GLUED.fullmatch(part)
        words += [piece for piece in glued.groups() if piece] if glued else [part]
    return words
