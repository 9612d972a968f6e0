"""Slow models fitted to measured series, and what the fits say about later measurements.

``fits`` is the entry (:func:`vht.fit`), ``courses`` arranges days and doses of every patient, ``modes`` seeks
the best parameters, ``priors`` and ``errors`` say how people differ and how measurements scatter;
``populations`` estimates priors from many short series, ``forecasts`` holds forecasts to what came later.
"""

from vht.fitting.fits import Fit, Forecast, fit

__all__ = ["Fit", "Forecast", "fit"]
