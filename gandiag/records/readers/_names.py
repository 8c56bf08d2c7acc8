"""Guesses from a column's name which loss or step counter of a third-party log the column is.

A name is split into words: ``Loss/D_fake`` gives loss, d, fake. Some words are required for a role
(a loss of the discriminator needs "d" or a synonym), some exclude a role ("grad", "val"), and some
carry no information ("train"). Among several columns that fit, the one with the fewest unknown
words is taken. The word lists come from the logs of published trainers; tests name the trainers.
"""

from __future__ import annotations

import functools
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

_NETWORKS = {
    **dict.fromkeys(("d", "disc", "dis", "discrim", "discriminator", "critic", "netd"), "d"),
    **dict.fromkeys(("discriminators", "discriminative"), "d"),
    **dict.fromkeys(("g", "gen", "generator", "generators", "generative", "netg"), "g"),
}
#: The autoencoder of a VQGAN is its generator; a name with "g" is preferred.
_AUTOENCODER = {"ae", "autoencoder"}
#: Names of the two parts of D's loss, on real and on generated samples, in a widespread tutorial.
_PARTS = {
    **dict.fromkeys(("d1", "dr", "c1"), ("d", "real")),
    **dict.fromkeys(("d2", "df", "c2"), ("d", "fake")),
}
_LOSS_WORDS = {"loss", "losses", "err", "error", "cost", "objective"}
_REAL, _FAKE = {"real"}, {"fake"}
_ADVERSARIAL = {"adv", "adversarial", "gan"}
_WASSERSTEIN = {"w", "wasserstein", "emd"}
#: Several discriminators or generators, such as CycleGAN's D_A and D_B, are distinguished by these.
_MEMBERS = {"a", "b", *"0123456789"}
_UNINFORMATIVE = {
    "train", "training", "trainer", "total", "mean", "value", "values", "running", "scalar",
    "scalars", "metrics", "log", "logs", "step", "batch", "iter", "net", "model", "current", "per",
}  # fmt: skip
_SMOOTHED = {"avg", "average", "ema", "smooth", "smoothed", "epoch"}
_CLASS = {
    "class", "classes", "cls", "classification", "aux", "auxiliary", "contrastive", "ac", "cond",
    "conditional", "info", "mi",
}  # fmt: skip
_EXCLUDED = {  # statistics of a loss, and losses that are not part of the adversarial objective
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
#: Counters that often restart at 0 in each epoch; a counter of the whole run is preferred.
_WITHIN_EPOCH = {"batch", "batches", "i", "idx", "minibatch"}
_UNITS = (STEP, "kimg", "image", "tick", EPOCH)  # in order of preference, finest first
_COUNTER_WORDS = {
    "global", "total", "train", "training", "trainer", "progress", "current", "cur", "num",
    "number", "no", "n", "count", "mean",
}  # fmt: skip
_EVALUATION = {"eval", "evaluation", "evaluating", "val", "valid", "validation", "test", "testing"}
#: Words written without a separator, such as "dloss" or "netD".
_GLUED = re.compile(
    r"(d|g|ae|disc|dis|gen|discriminator|generator|critic|adv|cls|class)(loss|losses|err|error|cost)"
    r"|(loss|err|error)(d|g|disc|dis|gen|discriminator|generator|critic)"
    r"|(net)(d|g)"
    r"|(global|g|d)(step|iter)"
)


def find_best_columns(role: str, names: Iterable[str]) -> tuple[str, ...]:
    """The columns whose names fit a role best: none, one, or several that fit equally well.

    >>> find_best_columns("discriminator_loss", ["errD", "errG", "D_x", "errD_real"])
    ('errD',)
    >>> find_best_columns("discriminator_loss", ["loss_D_A", "loss_D_B"])
    ('loss_D_A', 'loss_D_B')
    """
    costs = _compute_costs(role, names)
    lowest = min(costs.values(), default=0.0)
    return tuple(name for name, cost in costs.items() if cost == lowest)


def rank_columns(role: str, names: Iterable[str]) -> list[str]:
    """The columns whose names fit a role, the best first.

    >>> rank_columns("step", ["epoch", "d_loss", "batch"])
    ['batch', 'epoch']
    """
    costs = _compute_costs(role, names)
    return sorted(costs, key=costs.__getitem__)


def is_adversarial(name: str) -> bool:
    """Whether a loss is the adversarial term alone by its name, without further terms.

    >>> is_adversarial("disc_adv_loss"), is_adversarial("disc_total_loss")
    (True, False)
    """
    return bool(set(_split_words(name)) & {"adv", "adversarial"})


def has_network_word(name: str) -> bool:
    """Whether a name mentions the generator or the discriminator.

    >>> has_network_word("Loss_D"), has_network_word("loss")
    (True, False)
    """
    return any(word in _NETWORKS for word in _split_words(name))


def has_loss_word(name: str) -> bool:
    """Whether a name mentions a loss.

    >>> has_loss_word("Losses"), has_loss_word("INFO")
    (True, False)
    """
    return any(word in _LOSS_WORDS for word in _split_words(name))


def is_network_name(name: str) -> bool:
    """Whether a name is that of a network, such as "Generator", perhaps with the word "loss"."""
    words = set(_split_words(name))
    return bool(words & _NETWORKS.keys()) and words <= _NETWORKS.keys() | _LOSS_WORDS


@functools.lru_cache(maxsize=10_000)
def is_evaluation_name(name: str) -> bool:
    """Whether a text is about an evaluation in place of a training step.

    >>> is_evaluation_name("--> EVALUATION"), is_evaluation_name("Epoch")
    (True, False)
    """
    words = set(_split_words(name))
    return bool(words & _EVALUATION) and not words & {"train", "training"}


def is_position(name: str) -> bool:
    """Whether a name is that of a counter of steps, epochs, images or the like.

    >>> is_position("Epoch"), is_position("GLOBAL_STEP"), is_position("steps/sec")
    (True, True, False)
    """
    words = _split_words(name)
    known = _STEPS.keys() | _COUNTER_WORDS
    return any(word in _STEPS for word in words) and all(word in known for word in words)


def is_adversarial_term(name: str) -> bool:
    """Whether the name of a loss marks it as one of several terms, such as `l_g_gan`."""
    return bool(set(_split_words(name)) & _ADVERSARIAL)


@functools.lru_cache(maxsize=10_000)
def find_unit(name: str) -> str:
    """The unit that a column of positions counts; the last such word of its name decides.

    >>> find_unit("Epoch"), find_unit("Progress/kimg"), find_unit("n")
    ('epoch', 'kimg', 'step')
    """
    units = [_STEPS[word] for word in _split_words(name) if word in _STEPS]
    return units[-1] if units else STEP


def _compute_costs(role: str, names: Iterable[str]) -> dict[str, float]:
    return {name: cost for name in names if (cost := _compute_cost(role, name)) is not None}


def _compute_cost(role: str, name: str) -> float | None:
    """How badly a name fits a role, mainly its number of unknown words; None if it does not fit.

    The weights of the single terms are chosen so that each published log in the tests is read
    correctly; only the order of the costs matters.
    """
    words = _split_words(name)
    if role in (STEP, EPOCH):
        return _compute_position_cost(role, name, words)
    networks = [_NETWORKS[word] for word in words if word in _NETWORKS]
    rest = {word for word in words if word not in _NETWORKS}
    names_loss = bool(rest & _LOSS_WORDS) or words[:1] == ("l",)
    rest -= _LOSS_WORDS | {"l"}
    if rest & _EXCLUDED or not (names_loss or _is_bare_network(words, rest)):
        return None
    network = networks[-1] if networks else None  # the last: loss_disc_fake_g is the generator's
    if not networks and rest & _AUTOENCODER:
        network = "g"
    if not networks and rest & _WASSERSTEIN and not rest & _REAL:
        network, rest = "d", rest | {"unknown"}  # only where no name mentions D itself
    found = "class_loss" if rest & _CLASS else _find_loss_role(network, rest)
    if found != role or (found == "class_loss" and network == "g"):
        return None
    rest -= _CLASS if role == "class_loss" else _REAL | _FAKE
    cost = 0.0 if names_loss else 4.0  # a bare "D" may be an accuracy or a mean output
    rest -= _WASSERSTEIN | _MEMBERS
    # The adversarial term is comparable between trainers; a sum with other terms is not.
    cost -= 0.5 * bool(rest & _ADVERSARIAL)
    cost += 0.25 * len(rest & _SMOOTHED)  # a running mean hides short events
    return cost + len(rest - _ADVERSARIAL - _SMOOTHED - _UNINFORMATIVE)


def _is_bare_network(words: tuple[str, ...], rest: set[str]) -> bool:
    """Whether a name without a word for a loss is that of a network and its part alone.

    These are D_A and G_A of CycleGAN, and D_real, D_fake and G_GAN of pix2pix.
    """
    if not words or words[0] not in _NETWORKS:
        return False
    return len(words) <= 2 and rest <= _MEMBERS | _REAL | _FAKE | _ADVERSARIAL


def _find_loss_role(network: str | None, words: set[str]) -> str | None:
    """The role of a loss: its network, and the part on real or on generated samples."""
    if network != "d":
        return "generator_loss" if network == "g" else None
    real, fake = bool(words & _REAL), bool(words & _FAKE)
    return "discriminator_loss" + ("_real" * (real and not fake) + "_fake" * (fake and not real))


def _compute_position_cost(role: str, name: str, words: tuple[str, ...]) -> float | None:
    units = [_STEPS[word] for word in words if word in _STEPS]
    if (
        not units
        or words[-1] in ("num", "count")
        or set(words) & (_EXCLUDED - {"num", "count", "steps"} | _LOSS_WORDS)
    ):
        return None
    if role == EPOCH:
        return None if units[-1] != EPOCH else 0.0
    unknown = [word for word in words if word not in _STEPS and word not in _COUNTER_WORDS]
    cost = 8.0 * _UNITS.index(units[-1]) + 2 * len(unknown)
    cost += 1.0 * name.startswith("_")  # W&B's "_step" counts calls of run.log, not updates
    cost += 0.5 * bool(set(words) & _WITHIN_EPOCH)
    return cost - 0.25 * ("global" in words)


@functools.lru_cache(maxsize=10_000)  # a log has few names, and many rows
def _split_words(name: str) -> tuple[str, ...]:
    """Split a name into lower-case words, also at changes of case and in glued words.

    >>> _split_words("Loss/D_fake"), _split_words("netDLoss"), _split_words("dloss")
    (('loss', 'd', 'fake'), ('net', 'd', 'loss'), ('d', 'loss'))
    """
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+", name)
    words: list[str] = []
    for part in map(str.lower, parts):
        glued = _GLUED.fullmatch(part)
        pieces = [piece for piece in glued.groups() if piece] if glued else [part]
        words += _PARTS.get(part, pieces)
    return tuple(words)
