"""From what an oracle wrote down to labels: which condition was there at each look, and its kind.

The rules and their numbers stand in ``reports/detection.md``, which was written first. A look is
labelled by what comes after it, over a horizon: no detector could do so while a run goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ABSENT, PRESENT, GREY = 0, 1, 2
CONDITIONS = ("vanishing_gradients", "mode_collapse", "non_convergence")

HORIZON = 500  # generator steps over which a condition must last
LEAST = 300  # of them that must be left near a run's end
MOST = 0.8  # share of the looks ahead at which it must hold
GAP = 200  # generator steps between present looks that count as present
SETTLED = 500  # generator step from which grey looks count
FEW_GREY = 0.2  # share of them that a run without the condition may have

FEW, FEWER, THIN, THINNER = 0.70, 0.85, 0.25, 0.5  # diversity, variety: present and grey, below
RISING = 0.1  # gain of diversity over the horizon, above: a collapse on its way out
TOTAL, ABOUT = 0.2, 0.05  # diversity of one kind of sample, below, give or take
SWAPS, STIRS, MOVES, DRIFTS = 0.3, 0.15, 0.25, 0.12  # per 100 steps: present and grey, above
BETTER = 0.8  # of the distance's first third, its last third below: it improves
WORSE, SOMEWHAT, BY, SOME = 1.5, 1.25, 0.05, 0.025  # over the best before: present and grey, above
BEYOND = 10.0  # largest sample value over the data's, above: it blew up
STILL, SLOW, FAR = 0.01, 0.05, 0.5  # relative change of the distance: frozen, nearly; still far
APART, HELPED = 0.99, 0.1  # AUC of a fresh classifier; fall of the distance, had it been otherwise
UNMOVED = 0.01  # move of the centre per 100 steps, below: drawing 10,000 samples anew moves it so


@dataclass(frozen=True)
class Label:
    """One condition over a run.

    Attributes:
        steps: ``(n,)`` generator steps of the looks.
        state: ``(n,)`` of `ABSENT`, `PRESENT`, `GREY`.
        kinds: at each look, the kinds that it may rightly be called; empty where not present.
    """

    steps: Ints
    state: Ints
    kinds: tuple[frozenset[str], ...]

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last step of each stretch that is present for `LEAST` steps or more."""
        stretches = _stretches(self.state == PRESENT)
        found = [(int(self.steps[begin]), int(self.steps[end])) for begin, end in stretches]
        return tuple((begin, end) for begin, end in found if end - begin >= LEAST)

    @property
    def verdict(self) -> int:
        """Whether the run has the condition, has it not, or is grey."""
        if self.spans:
            return PRESENT
        late = self.state[self.steps >= SETTLED]
        few_grey = not len(late) or (late == GREY).mean() <= FEW_GREY
        at_last = self.state[self.steps > self.steps[-1] - HORIZON]
        clear = few_grey or not (at_last == GREY).any()
        return ABSENT if clear and not (self.state == PRESENT).any() else GREY

    def at(self, step: int) -> frozenset[str]:
        """Kinds at the newest look up to `step`."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return self.kinds[index] if index >= 0 else frozenset()


def label(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Label]:
    """Label a run from what its oracle wrote (`gandiag.benchmarks.oracle.oracle.read_rows`)."""
    seen = _Seen.of(about, rows)
    vanished, causes = _vanishing(seen, rows)
    collapsed, kinds = _collapse(seen, vanished == PRESENT)
    restless, ways = _non_convergence(seen)
    states = (vanished, causes), (collapsed, kinds), (restless, ways)
    return {
        condition: Label(seen.steps, state, tuple(kind))
        for condition, (state, kind) in zip(CONDITIONS, states, strict=True)
    }


@dataclass(frozen=True)
class _Seen:
    """An oracle's looks as columns; NaN where samples were not finite."""

    steps: Ints
    every: int
    diversity: Array
    variety: Array
    distance: Array
    swaps: Array  # total variation of the shares per 100 steps
    moves: Array  # of the centre per 100 steps
    blown: Bools

    @classmethod
    def of(cls, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> _Seen:
        every = int(about["every"])
        truth = np.asarray(about["shares"], dtype=float)
        unknown = np.full(len(truth), np.nan)
        shares = np.array([row.get("shares", unknown) for row in rows])
        place = next((row["centre"] for row in rows if "centre" in row), np.zeros(1))
        centres = np.array([row.get("centre", np.full(len(place), np.nan)) for row in rows])
        lag = max(100 // every, 1)
        return cls(
            steps=np.array([row["step"] for row in rows], dtype=np.int64),
            every=every,
            diversity=np.exp(_entropy(shares) - _entropy(truth[None])),
            variety=np.array([row.get("variety", np.nan) for row in rows], dtype=float),
            distance=np.array([row["distance"] for row in rows], dtype=float),
            swaps=np.abs(_change(shares, lag)).sum(1) / 2,
            moves=np.linalg.norm(_change(centres, lag), axis=1),
            blown=np.array([r["finite"] < 1 or r.get("extent", 0) > BEYOND for r in rows]),
        )

    def ahead(self, index: int, horizon: int = HORIZON) -> slice:
        """The looks from one on, over a horizon."""
        end = np.searchsorted(self.steps, self.steps[index] + horizon, side="right")
        return slice(index, int(end))

    def unmoved(self, begin: int, end: int) -> bool:
        """Whether the samples as a whole stand still from one look to `LEAST` after another."""
        moves = self.moves[begin + 1 : end + 1 + LEAST // self.every]
        known = moves[np.isfinite(moves)]
        return len(known) > 0 and bool((known < UNMOVED).all())

    def judged(self, horizon: int = HORIZON) -> range:
        """Looks with enough of a horizon ahead."""
        left = self.steps[-1] - self.steps >= min(horizon, LEAST)
        return range(int(left.sum()))


def _vanishing(seen: _Seen, rows: Sequence[Mapping[str, Any]]) -> tuple[Ints, list[frozenset[str]]]:
    state = np.full(len(seen.steps), ABSENT)
    kinds: list[frozenset[str]] = [frozenset()] * len(state)
    changes = np.full(len(state), np.inf)
    for index in seen.judged(LEAST):
        distance = seen.distance[seen.ahead(index, LEAST)]
        if np.isfinite(distance).all():
            changes[index] = np.ptp(distance) / distance[0]
    state[(changes < SLOW) & (seen.distance > FAR)] = GREY
    asked = [(int(row["step"]), row["otherwise"]) for row in rows if "otherwise" in row]
    for begin, end in _stretches(changes < STILL):
        state[begin : end + 1] = GREY
        first, last = seen.steps[begin], seen.steps[end] + LEAST
        answers = [answer for at, answer in asked if first <= at <= last]
        if not answers or answers[0]["auc"] <= APART:
            continue
        cause = _cause(answers[0])
        if cause or seen.unmoved(begin, end):
            state[begin : end + 1] = PRESENT
            kinds[begin : end + 1] = [frozenset({cause} if cause else ())] * (end + 1 - begin)
    return _to_the_end(seen, state, kinds, LEAST)


def _cause(otherwise: Mapping[str, float]) -> str | None:
    """What was in the way, if it helped to do otherwise."""
    names = {"swap": "saturated_objective", "anew": "flat_discriminator"}
    helped = [name for name in names if otherwise.get(name, 0.0) >= HELPED]
    return names[helped[0]] if helped else None


def _collapse(seen: _Seen, vanished: Bools) -> tuple[Ints, list[frozenset[str]]]:
    few = (seen.diversity < FEW) | (seen.variety < THIN)
    fewer = (seen.diversity < FEWER) | (seen.variety < THINNER)
    state = _lasting(seen, few, fewer | ~np.isfinite(seen.diversity))
    kinds: list[frozenset[str]] = []
    for index in range(len(state)):
        ahead = seen.ahead(index)
        first, last = _thirds(seen.diversity[ahead])
        if vanished[index] or (state[index] == PRESENT and last - first > RISING):
            state[index] = GREY
        turnover = _middle(seen.swaps[ahead])
        now = _collapse_kinds(seen.diversity[index], seen.variety[index], turnover)
        kinds.append(now if state[index] == PRESENT else frozenset())
    return _to_the_end(seen, state, kinds, HORIZON)


def _collapse_kinds(diversity: float, variety: float, turnover: float) -> frozenset[str]:
    if diversity >= FEW:
        return frozenset({"intra_mode"})
    plain = {"total"} if diversity < TOTAL + ABOUT else set()
    plain |= {"partial"} if diversity >= TOTAL - ABOUT else set()
    if turnover >= SWAPS:
        return frozenset({"hopping"} | (plain if turnover < SWAPS + STIRS else set()))
    return frozenset(plain | ({"hopping"} if turnover >= STIRS else set()))


def _non_convergence(seen: _Seen) -> tuple[Ints, list[frozenset[str]]]:
    best = np.fmin.accumulate(seen.distance)
    worse = (seen.distance >= WORSE * best) & (seen.distance >= best + BY)
    somewhat = (seen.distance >= SOMEWHAT * best) & (seen.distance >= best + SOME)
    states = {
        "oscillation": _oscillation(seen),
        "regression": _lasting(seen, worse, somewhat),
        "divergence": np.where(np.logical_or.accumulate(seen.blown), PRESENT, ABSENT),
    }
    whole = np.full(len(seen.steps), ABSENT)
    kinds: list[frozenset[str]] = []
    for index in range(len(whole)):
        now = frozenset(kind for kind, state in states.items() if state[index] == PRESENT)
        grey = any(state[index] == GREY for state in states.values())
        whole[index] = PRESENT if now else GREY if grey else ABSENT
        kinds.append(now)
    return _to_the_end(seen, whole, kinds, HORIZON)


def _oscillation(seen: _Seen) -> Ints:
    state = np.full(len(seen.steps), ABSENT)
    for index in seen.judged():
        ahead = seen.ahead(index)
        swaps, moves = (_middle(values[ahead][1:]) for values in (seen.swaps, seen.moves))
        first, last = _thirds(seen.distance[ahead])
        if swaps >= SWAPS or moves >= MOVES:
            state[index] = GREY if last < BETTER * first else PRESENT
        elif swaps >= STIRS or moves >= DRIFTS:
            state[index] = GREY
    return state


def _lasting(seen: _Seen, strong: Bools, weak: Bools) -> Ints:
    """Present where a strong sign lasts over the horizon, grey where there is any sign at all."""
    state = np.where(strong | weak, GREY, ABSENT)
    for index in seen.judged():
        if strong[index] and strong[seen.ahead(index)].mean() >= MOST:
            state[index] = PRESENT
    return state


def _to_the_end(
    seen: _Seen, state: Ints, kinds: list[frozenset[str]], horizon: int
) -> tuple[Ints, list[frozenset[str]]]:
    """Close short gaps, and let the looks without a horizon keep the last label."""
    on = np.flatnonzero(state == PRESENT)
    for before, after in itertools.pairwise(on):
        if after - before > 1 and seen.steps[after] - seen.steps[before] <= GAP:
            state[before:after] = PRESENT
            kinds[before:after] = [kinds[before]] * (after - before)
    judged = seen.judged(horizon)
    if len(judged):
        last = judged[-1]
        state[last + 1 :] = np.where(state[last + 1 :] == PRESENT, PRESENT, state[last])
        kinds[last + 1 :] = [kinds[last]] * (len(state) - last - 1)
    return state, kinds


def _thirds(values: Array) -> tuple[float, float]:
    """Median of the first and of the last third; the same for fewer than three."""
    part = max(len(values) // 3, 1)
    return float(np.median(values[:part])), float(np.median(values[-part:]))


def _middle(values: Array) -> float:
    """Median of the finite ones; 0 where there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def _stretches(on: Bools) -> list[tuple[int, int]]:
    """First and last index of each stretch that is on."""
    edges = np.diff(np.concatenate([[False], on, [False]]).astype(int))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _entropy(shares: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log(shares), 0.0)
    return np.asarray(np.where(np.isnan(shares).any(1), np.nan, -terms.sum(1)))


def _change(values: Array, lag: int) -> Array:
    """What has changed since `lag` rows before; NaN at first."""
    changed = np.full(values.shape, np.nan)
    changed[lag:] = values[lag:] - values[:-lag]
    return changed
