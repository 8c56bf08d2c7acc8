"""Eigenvalues of a large matrix that is known by its products with vectors only."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

Product: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
Which: TypeAlias = Literal["LM", "LR", "LI"]  # largest modulus, real part, imaginary part

MAX_DENSE_SIZE = (
    128  # rows up to which all eigenvalues are taken at once; ARPACK needs more than it is asked
)
MAX_RESTARTS = 60  # restarts of ARPACK, each of some 20 products
# Some searches go on from a random vector. SciPy takes the stream of these from 1.17 on; before,
# it goes on with that of the process's last search.
TAKES_SEED = "rng" in inspect.signature(eigs).parameters


class Spectrum(NamedTuple):
    """Eigenvalues that were found.

    Attributes:
        values: complex128, by falling modulus, with the conjugate of each; of a large matrix,
            equal ones once.
        all: whether these are all there are.
        missed: how many of those that were asked for did not converge.
    """

    values: NDArray[np.complex128]
    is_complete: bool
    unconverged: int


def find_eigenvalues(
    product: Product,
    size: int,
    count: int,
    which: tuple[Which, ...] = ("LM",),
    seed: int = 0,
    tolerance: float = 1e-4,
) -> Spectrum:
    """Eigenvalues of a real matrix: all of a small one, the outermost of a large one.

    ARPACK's implicitly restarted Arnoldi method (Lehoucq, Sorensen & Yang 1998), begun with a
    vector of its own stream, so that it gives the same numbers again (before SciPy 1.17 some
    searches find other eigenvalues the next time).

    Args:
        product: ``(n,) -> (n,)``, the matrix times a vector.
        size: n.
        count: eigenvalues of each kind asked for.
        which: kinds of outermost ones.
        seed: of the first vector.
        tolerance: relative accuracy of each eigenvalue.
    """
    if size <= max(MAX_DENSE_SIZE, 2 * count + 2):
        matrix = np.stack([product(row) for row in np.eye(size)], axis=1)
        whole = np.linalg.eigvals(matrix).astype(np.complex128)
        return Spectrum(_by_modulus(whole), True, 0)
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    begin = np.random.default_rng(seed).standard_normal(size)
    options: dict[str, Any] = {
        "maxiter": MAX_RESTARTS,
        "tol": tolerance,
        "return_eigenvectors": False,
    }
    if TAKES_SEED:
        options["rng"] = seed
    found, missed = [], 0
    for kind in which:
        try:
            values = eigs(operator, count, which=kind, v0=begin, **options)
        except ArpackNoConvergence as error:
            values = error.eigenvalues
            missed += count - len(values)
        found.append(values)
    paired = _with_conjugates(np.concatenate(found))
    return Spectrum(_by_modulus(_distinct(paired, tolerance)), False, missed)


def report_progress(product: Product, typical: int, tell: Callable[[float], None]) -> Product:
    """The same product, which tells before each how far a search has come, [0, 1).

    How many products it takes is not known ahead: after `typical` ones it is said to be half done.
    """
    done = 0

    def told(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal done
        done += 1
        tell(done / (done + typical))
        return product(vector)

    return told


def _by_modulus(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    order = np.lexsort((-values.imag, -values.real, -np.abs(values)))
    return values[order]


def _with_conjugates(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Each eigenvalue and its conjugate, which a real matrix has too: the upper ones first.

    Of a pair that is cut by the number asked for, ARPACK gives either.
    """
    upper = values.real + 1j * np.abs(values.imag)
    return np.concatenate([upper, upper.conj()])


def _distinct(values: NDArray[np.complex128], tolerance: float) -> NDArray[np.complex128]:
    """Each eigenvalue once, though several searches have found it."""
    kept: list[np.complex128] = []
    for value in values:
        if all(abs(value - other) > 10 * tolerance * abs(value) for other in kept):
            kept.append(value)
    return np.array(kept, dtype=np.complex128)
