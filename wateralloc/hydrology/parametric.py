"""Synthetic members from a periodic autoregressive model of many sites.

Flow is lognormal with a bound of its own at each site and date, so that its mean, variance and skew
are those of the record.  What is normal below it follows the period before by the correlation of
the site with itself, and the shocks of the sites are correlated:

    x = bound + sign exp(location + sign sigma z)
    z[t] = phi[t] z[t-1] + B[t] w[t],    B B' = M[t] - Phi[t] M[t-1] Phi[t]

with w independent standard normal, M the correlations of z between sites, and Phi diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from wateralloc.hydrology.statistics import correlation, deviation, own_correlation, skewness
from wateralloc.hydrology.years import RecordYears, dates_of_year, generator, pairs_of_dates
from wateralloc.timeline import Timeline

_ROWS = (slice(None), np.newaxis)
_COLUMNS = (np.newaxis, slice(None))
LEAST_SKEW = 0.05
"""A skew nearer to 0 than this is taken as this: the bound would be without end."""
MOST_CORRELATION = 0.999
"""Of a site with its own flow in the period before, so that there is always something new."""


@dataclass(frozen=True)
class Marginal:
    """Lognormal distribution with a bound, by site and date.

    The bound is below the flow where the skew is positive, above it where it is negative.

    Attributes
    ----------
    bound : ndarray (..., site); the mean, where flow does not vary
    location, sigma : mean and standard deviation of ln|x - bound|
    sign : 1 or -1, that of the skew; 0 where flow does not vary
    share : factor that gives flow its mean again after what is below 0 was cut off
    """

    bound: np.ndarray
    location: np.ndarray
    sigma: np.ndarray
    sign: np.ndarray
    share: np.ndarray

    def on(self, date: Any) -> Marginal:
        """Those of one date, or of several."""
        return Marginal(
            self.bound[date],
            self.location[date],
            self.sigma[date],
            self.sign[date],
            self.share[date],
        )

    @property
    def spread(self) -> np.ndarray:
        """Coefficient of variation of |x - bound|."""
        return np.sqrt(np.expm1(self.sigma**2))

    def flow(self, normal: np.ndarray) -> np.ndarray:
        """Flow of standard normal values, never below 0."""
        away = np.exp(self.location + self.sign * self.sigma * normal)
        return self.share * np.maximum(self.bound + self.sign * away, 0.0)


def fit_marginal(mean: np.ndarray, sd: np.ndarray, skew: np.ndarray) -> Marginal:
    """Find the distribution that has a mean, standard deviation and skew.

    With s the coefficient of variation of |x - bound|, the skew is s**3 + 3 s, which has one root.

    Source
    ------
    Matalas (1967) and Stedinger (1980), lognormal distribution of three parameters.

    Examples
    --------
    >>> fitted = fit_marginal(np.array(10.0), np.array(5.0), np.array(2.0))
    >>> z = np.random.default_rng(1).standard_normal(1_000_000)
    >>> x = fitted.flow(z)
    >>> x.mean().round(1).item(), x.std().round(1).item(), skewness(x[:, None]).round(1).item()
    (10.0, 5.0, 2.0)
    """
    sign = np.where(sd > 0, np.where(skew < 0, -1.0, 1.0), 0.0)
    size = np.maximum(np.abs(skew), LEAST_SKEW)
    root = np.cbrt(size / 2 + np.sqrt(size**2 / 4 + 1))
    spread = root - 1 / root  # of s**3 + 3 s = skew, by Cardano
    sigma = np.sqrt(np.log1p(spread**2))
    away = np.where(sd > 0, sd, 1.0) / spread
    bound = mean - sign * away
    location = np.log(away) - sigma**2 / 2
    above = _mean_above_zero(mean, bound, location, sigma, sign)
    share = np.where(above > 0, mean / np.where(above > 0, above, 1.0), 1.0)
    return Marginal(bound, location, sigma, sign, share)


def _mean_above_zero(
    mean: np.ndarray,
    bound: np.ndarray,
    location: np.ndarray,
    sigma: np.ndarray,
    sign: np.ndarray,
) -> np.ndarray:
    """Mean of the flow when what is below 0 counts as 0."""
    is_cut = (sign != 0) & (sign * bound < 0)
    # flow is above 0 where z > zero
    zero = sign * (np.log(np.where(is_cut, np.abs(bound), 1.0)) - location) / sigma
    away = np.exp(location + sigma**2 / 2) * ndtr(sign * sigma - zero)
    return np.where(is_cut, bound * ndtr(-zero) + sign * away, mean)


@dataclass(frozen=True)
class PeriodicModel:
    """Model of the flow of all sites in each period of a case.

    Dates that come again in every year of the horizon have their figures once.

    Attributes
    ----------
    marginal : of each date of the year (date, site)
    date : date of the year of each period (time)
    phi : correlation of a site with its own flow in the period before (pair, site)
    shock : what independent normal values are multiplied with (pair, site, site)
    pair : two dates of the year, of each period and the one before it (time)
    """

    marginal: Marginal
    date: np.ndarray
    phi: np.ndarray
    shock: np.ndarray
    pair: np.ndarray

    def flow(self, seed: int, numbers: Sequence[int]) -> np.ndarray:
        """Flow of some members; member k depends on the seed and on its number alone.

        Returns
        -------
        ndarray (member, time, site)
        """
        n_periods, n_sites = self.pair.size, self.phi.shape[1]
        shock = self.shock[self.pair]
        z = np.empty((len(numbers), n_periods, n_sites))
        for k, number in enumerate(numbers):
            # one member at a time: a product of all would round by the size of the company
            w = generator(seed, number).standard_normal((n_periods, n_sites))
            z[k] = np.matmul(shock, w[:, :, np.newaxis])[:, :, 0]
        for t in range(1, n_periods):
            z[:, t] += self.phi[self.pair[t]] * z[:, t - 1]
        return self.marginal.on(self.date).flow(z)


def fit_model(years: RecordYears, timeline: Timeline, flow: np.ndarray) -> PeriodicModel:
    """Fit the model to the record.

    Parameters
    ----------
    flow : ndarray (site, year, time); NaN where the record has none

    Source
    ------
    Matalas (1967), moments of lognormal flows and their correlations; Salas et al. (1980), periodic
    and contemporaneous autoregressive models (a diagonal Phi).
    """
    date, of_date = dates_of_year(timeline)
    samples = [flow[:, years.is_there[:, t], t].T for t in of_date]
    marginal = fit_marginal(
        np.stack([sample.mean(axis=0) for sample in samples]),
        np.stack([deviation(sample) for sample in samples]),
        np.stack([skewness(sample) for sample in samples]),
    )
    together = np.empty((len(samples), flow.shape[0], flow.shape[0]))
    for d, sample in enumerate(samples):
        rows, columns = marginal.on((d, *_ROWS)), marginal.on((d, *_COLUMNS))
        root = _root(_of_normal(correlation(sample, sample), rows, columns))
        together[d] = root @ root.T
    pair, of_pair = pairs_of_dates(timeline)
    phi = np.zeros((of_pair.size, flow.shape[0]))
    shock = np.empty((*phi.shape, flow.shape[0]))
    for k, t in enumerate(of_pair):
        now = date[t]
        free = together[now]
        if t > 0:
            last = date[t - 1]
            before, after = years.follows(t)
            own = own_correlation(flow[:, before, t - 1].T, flow[:, after, t].T)
            own = _of_normal(own, marginal.on(last), marginal.on(now))
            phi[k] = np.clip(own, -MOST_CORRELATION, MOST_CORRELATION)
            free = free - phi[k][:, np.newaxis] * together[last] * phi[k]
        shock[k] = _root(free)
    return PeriodicModel(marginal, date, phi, shock, pair)


def _of_normal(flows: np.ndarray, one: Marginal, other: Marginal) -> np.ndarray:
    """Correlation of the normal values behind two flows that gives the flows theirs."""
    sign = one.sign * other.sign
    inside = np.maximum(1.0 + sign * flows * one.spread * other.spread, 1e-9)
    normal = sign * np.log(inside) / (one.sigma * other.sigma)
    return np.clip(np.where(sign != 0, normal, 0.0), -1.0, 1.0)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Matrix B of which B B' is the covariance, or the nearest to it that is one.

    Eigenvalues below 0 become 0; then the rows are scaled so that the variances stand.

    Source
    ------
    Rebonato & Jäckel (1999), spectral decomposition.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    variance = np.maximum(np.diag(covariance), 0.0)
    found = (root**2).sum(axis=1)
    return root * np.sqrt(variance / np.where(found > 0, found, 1.0))[:, np.newaxis]
