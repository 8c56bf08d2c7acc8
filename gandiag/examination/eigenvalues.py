"""Eigenvalues of a large matrix of which only products with vectors are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

Product: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
#: Which eigenvalues ARPACK searches: largest modulus, largest real or largest imaginary part.
Which: TypeAlias = Literal["LM", "LR", "LI"]

# Rows up to which the whole matrix is computed. That takes no more products than ARPACK's searches,
# and ARPACK cannot find all eigenvalues.
MAX_DENSE_SIZE = 128
MAX_RESTARTS = 60  # Restarts of ARPACK, of about 20 products each.
# Some searches continue with a random vector. SciPy 1.17 and later take its generator as an
# argument. Earlier versions use the state that the last search in the process has left.
TAKES_SEED = "rng" in inspect.signature(eigs).parameters


class Spectrum(NamedTuple):
    """Eigenvalues of a real matrix.

    Attributes:
        values: complex128 eigenvalues by falling modulus, each with its complex conjugate. Equal
            eigenvalues of a large matrix are listed once.
        is_complete: whether these are all eigenvalues.
        unconverged: number of requested eigenvalues that did not converge.
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
    """Find all eigenvalues of a small real matrix, or the outermost ones of a large matrix.

    A large matrix needs ARPACK's implicitly restarted Arnoldi method (Lehoucq, Sorensen & Yang
    1998). Its first vector is drawn from a stream of its own, so that the results are reproducible
    (with SciPy before 1.17, except for searches that continue with a random vector).

    Args:
        product: ``(n,) -> (n,)``, the matrix times a vector.
        size: number of rows n.
        count: number of eigenvalues to search for each item of `which`.
        which: which outermost eigenvalues to search.
        seed: seed of the first vector.
        tolerance: relative accuracy of each eigenvalue.
    """
    # ARPACK also needs a matrix larger than its subspace of 2 * count + 1 vectors.
    if size <= max(MAX_DENSE_SIZE, 2 * count + 2):
        matrix = np.stack([product(row) for row in np.eye(size)], axis=1)
        every = np.linalg.eigvals(matrix).astype(np.complex128)
        return Spectrum(_sort_by_modulus(every), is_complete=True, unconverged=0)
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    first_vector = np.random.default_rng(seed).standard_normal(size)
    options: dict[str, Any] = {"tol": tolerance, "return_eigenvectors": False}
    if TAKES_SEED:
        options["rng"] = seed
    found, unconverged = [], 0
    for kind in which:
        try:
            values = eigs(
                operator, count, which=kind, v0=first_vector, maxiter=MAX_RESTARTS, **options
            )
        except ArpackNoConvergence as error:
            values = error.eigenvalues  # those that did converge
            unconverged += count - len(values)
        found.append(values)
    distinct = _drop_duplicates(_add_conjugates(np.concatenate(found)), tolerance)
    return Spectrum(_sort_by_modulus(distinct), False, unconverged)


def report_progress(product: Product, typical: int, progress: Callable[[float], None]) -> Product:
    """Return a product that reports the progress of a search before it computes.

    Args:
        product: the product to wrap.
        typical: typical number of products of a search. The true number is not known in advance;
            after `typical` products the reported share is one half.
        progress: called with the finished share of the work, in [0, 1).
    """
    done = 0

    def product_with_progress(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal done
        done += 1
        progress(done / (done + typical))
        return product(vector)

    return product_with_progress


def _sort_by_modulus(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    # Real and imaginary part decide ties, so that the order is the same on every machine.
    return values[np.lexsort((-values.imag, -values.real, -np.abs(values)))]


def _add_conjugates(values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return each eigenvalue and its complex conjugate, those with positive imaginary part first.

    A real matrix has both. If the requested number cuts a pair, ARPACK returns only one of the two.
    """
    upper = values.real + 1j * np.abs(values.imag)
    return np.concatenate([upper, upper.conj()])


def _drop_duplicates(values: NDArray[np.complex128], tolerance: float) -> NDArray[np.complex128]:
    """Return each eigenvalue once, although several searches may have found it."""
    kept: list[np.complex128] = []
    for value in values:
        # Ten times the tolerance: two searches may err in opposite directions.
        if all(abs(value - other) > 10 * tolerance * abs(value) for other in kept):
            kept.append(value)
    return np.array(kept, dtype=np.complex128)
