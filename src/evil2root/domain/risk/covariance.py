"""Covariance that few bars can bear: the sample's, shrunk towards a common variance."""

import numpy as np

from evil2root.domain.risk.recent import Floats


def shrinkage(values: Floats) -> float:
    """How far a sample covariance is to be drawn towards the identity times its mean variance.

    Parameters
    ----------
    values
        Shape (T, N), one observation a row, no NaN; means are taken out here.

    Returns
    -------
    float
        In [0, 1]: 0 keeps the sample, 1 forgets it. 0 where the sample is a multiple of the identity already.

    Notes
    -----
    Cost: T x T x N, no N x N table: the sample's squared norm is that of the T x T products of rows.

    Source: O. Ledoit and M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88 (2004), equations 14 to 16.
    """
    return _shrinkage(values - values.mean(axis=0))


def _shrinkage(centred: Floats) -> float:
    """The same of values whose means are out already."""
    count, width = centred.shape
    products = _products(centred)
    norm = float(np.square(products).sum()) / count**2
    mean_variance = float(np.trace(products)) / (count * width)
    spread = norm / width - mean_variance**2
    fourth = float(np.square(np.diagonal(products)).sum())
    error = (fourth / count - norm) / (count * width)
    least = 1e-12 * norm / width
    return 0.0 if spread <= least else min(max(error, 0.0), spread) / spread


BLOCK = 64
"""Columns multiplied at a time: few enough for the linear algebra library to stay on this thread. Starting its others
takes longer than the work, and much longer where the cores have other work."""


def _products(centred: Floats) -> Floats:
    """Products of all pairs of rows, shape (T, T)."""
    total: Floats = np.zeros((len(centred), len(centred)))
    for start in range(0, centred.shape[1], BLOCK):
        block = centred[:, start : start + BLOCK]
        total += block @ block.T
    return total


def shrunk_covariance(values: Floats) -> Floats:
    """Return the whole shrunk table, shape (N, N), divided by T. Cost: T x N x N; the rules need one row of it only."""
    centred = values - values.mean(axis=0)
    sample = centred.T @ centred / len(values)
    share = shrinkage(values)
    target = np.eye(sample.shape[0]) * np.trace(sample) / sample.shape[0]
    table: Floats = (1 - share) * sample + share * target
    return table


def shrunk_correlations(values: Floats) -> Floats:
    """Correlation of the last column with each of the others.

    Parameters
    ----------
    values
        Shape (T, N), one observation a row, no NaN.

    Returns
    -------
    Floats
        Shape (N - 1,), in [-1, 1]; 0 for a column that never moved.

    Notes
    -----
    Columns are brought to one variance first: the target then has it too, and a calm currency is not drowned by a wild
    coin beside it. Cost as `shrinkage`.
    """
    return correlations_with_last(standardised(values))


def standardised(values: Floats) -> Floats:
    """Return columns as rows of mean 0 and variance 1, shape (N, T); 0 for a column that never moved."""
    centred = values - values.mean(axis=0)
    deviation = np.sqrt(np.einsum("tn,tn->n", centred, centred) / len(centred))
    unit: Floats = centred * np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return np.ascontiguousarray(unit.T)


def correlations_with_last(unit: Floats) -> Floats:
    """Return the same as `shrunk_correlations` for what `standardised` returned, or rows of it."""
    found: Floats = (1 - _shrinkage(unit.T)) * np.einsum("nt,t->n", unit[:-1], unit[-1]) / unit.shape[1]
    return np.clip(found, -1.0, 1.0)
