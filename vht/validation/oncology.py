"""What fits and forecasts of the tumour models show on measured series, beside what was published.

``python -m vht.validation.oncology DATA FILE`` writes the tables as Markdown; ``DATA`` is a folder of
reference data with ``oncology/`` in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from organ_models.catalogue import catalogue
from organ_models.model import Reference
from organ_models.references import BENZEKRY_2014
from vht.files import write_whole
from vht.fitting.forecasts import HeldOut, held_out_forecasts, lesions
from vht.model_validation import validate
from vht.validation.antigen_forecasts import AntigenForecasts, antigen_series, forecast_antigen
from vht.validation.claims import Claim, Claims
from vht.validation.mouse_fits import LAWS, MouseFits, fit_mice
from vht.validation.virtual_trials import breast_cancer

SITES = ("lung", "breast")
NOMINAL = Reference("nominal", "The probability that the interval was asked for.")
_PUBLISHED = (
    ("Gompertz", "initial_growth_rate", 0.743, "/d"),
    ("Gompertz", "growth_rate_decay", 0.0792, "/d"),
    ("logistic", "growth_rate", 0.502, "/d"),
    ("logistic", "carrying_capacity", 1297.0, "mm3"),
)
"""Medians of Benzekry 2014 that were verified, of 20 animals."""

MouseTables = dict[tuple[str, str], MouseFits]


def mouse_fits(data: Path) -> MouseTables:
    """Every law fitted to the animals of every site, by (site, law)."""
    folder = data / "oncology" / "vaghi_benzekry"
    tables = {site: pd.read_csv(folder / f"{site}_volume.csv") for site in SITES}
    return {(site, law): fit_mice(tables[site], law) for site in SITES for law in LAWS}


def mouse_claims(fits: MouseTables) -> Claims:
    """Medians of our own fits to half of the published lung tumours beside those published of all."""
    claims = []
    for law, parameter, published, unit in _PUBLISHED:
        found = fits["lung", law]
        low, high = np.quantile(found.fit.of(parameter), (0.0, 1.0))
        about = f"lung tumours of mice, {law}: {parameter.replace('_', ' ')}, median"
        claims.append(
            Claim(
                about,
                published,
                unit,
                found.medians[parameter],
                (float(low), float(high)),
                0.15 * published,
                BENZEKRY_2014,
                "verification",
            )
        )
    return Claims("Growth laws: medians of fits, animal by animal", claims)


def lesion_forecasts(data: Path) -> HeldOut:
    """The last third of every lesion of the shared half of the clinical set."""
    return held_out_forecasts(lesions(pd.read_csv(data / "oncology" / "laleh2022" / "lesions.csv")))


def antigen_forecasts(data: Path) -> AntigenForecasts:
    """The last third of every series of the abiraterone trial's shared patients."""
    folder = data / "oncology" / "zhang_cunningham_abiraterone"
    return forecast_antigen(antigen_series(pd.read_csv(folder / "trial_psa.csv")))


def coverage_claims(held: HeldOut, antigen: AntigenForecasts) -> Claims:
    """Share of held-out measurements within their 90 % intervals."""
    return Claims(
        "Forecasts: how many held-out measurements lie within their interval",
        [
            Claim(about, 90.0, "%", 100 * value, (100 * value, 100 * value), 5.0, NOMINAL)
            for about, value in (
                (f"{held.observed.size} diameters of lesions", held.coverage),
                (
                    f"{int(antigen.held_out.sum())} antigen values under the drug as given",
                    antigen.coverage,
                ),
            )
        ],
    )


_HEAD = """# What the tumour models fit and forecast, and what was measured

Written by `make validation` from the reference data (`VHT_SHARED_DATA`). Fits are the package's own
(`vht.fit`). Priors and errors of a forecast do not come from what it is held to. Where a table says that a
forecast is not better than no model, it is not.

"""


def _mice(fits: MouseTables) -> str:
    lines = [
        "## Growth laws: which one describes mice",
        "",
        "Weighted least squares, every animal alone; Akaike's criterion summed over animals (smaller is "
        "better), and the median share of variance explained. Gompertz and the power law describe both kinds "
        "of tumour best, the exponential from one injected volume worst, as published (Benzekry 2014, Vaghi "
        "2020).",
        "",
        "| law | lung: criterion | explained | breast: criterion | explained |",
        "|---|---:|---:|---:|---:|",
    ]
    for law in LAWS:
        cells = [f"{fits[site, law].criterion:.0f} | {fits[site, law].explained:.3f}" for site in SITES]
        lines.append(f"| {law} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _lesions(held: HeldOut) -> str:
    table = held.errors()
    last, linear = held.worse_than("last"), held.worse_than("linear")
    beaten = {True: "beaten", False: "**not beaten**"}
    mean, median = (table.loc["median", c] < table.loc["last", c] for c in ("mean", "median"))
    lines = [
        "## Lesions under treatment: forecasts of the last third",
        "",
        f"{np.unique(held.patient).size} patients with six or more measured diameters of one target lesion "
        "(Ghaffari Laleh 2022, half of the set): the first two thirds of each series are fitted, the last "
        "third "
        "is forecast. The prior comes from other patients alone (two folds). Sizes follow Gompertz' law to a "
        "size of their own; around it the course wanders, and how far was estimated from the same other "
        "patients.",
        "",
        "| method | mean error, mm | median, mm | root mean square, mm | median relative |",
        "|---|---:|---:|---:|---:|",
    ]
    names = {"median": "forecast (median)", "last": "last value carried forward", "linear": "straight line"}
    for key, name in names.items():
        row = table.loc[key]
        lines.append(
            f"| {name} | {row['mean']:.2f} | {row['median']:.2f} | {row['root_mean_square']:.2f} | "
            f"{row['median_relative']:.1%} |"
        )
    same = np.mean(held.observed == held.last)
    lines += [
        "",
        f"The last value is {beaten[bool(mean)]} in the mean error and {beaten[bool(median)]} in the median. "
        "The mean error of the forecast, averaged over patients, less that of the last value is "
        f"{last[0]:.2f} ± {last[1]:.2f} mm (standard error), and less that of the straight line "
        f"{linear[0]:.2f} ± {linear[1]:.2f} mm. {same:.0%} of the held-out diameters are exactly the last "
        f"one "
        "that was fitted. What the model adds to the last value is the interval: "
        f"{held.coverage:.1%} of the held-out diameters lie within the 90 % limits, by time ahead:",
        "",
        "| days ahead | measurements | within the limits |",
        "|---|---:|---:|",
    ]
    inside = (held.observed >= held.low) & (held.observed <= held.high)
    for low, high in ((0, 45), (45, 90), (90, 180), (180, np.inf)):
        chosen = (held.ahead > low) & (held.ahead <= high)
        label = f"{low} to {high:g}" if np.isfinite(high) else f"over {low}"
        lines.append(f"| {label} | {int(chosen.sum())} | {inside[chosen].mean():.0%} |")
    lines += [
        "",
        "Two laws without a plateau (Stein–Fojo, and Claret with resistance) were tried first on the same "
        "series, and left: they go on growing where lesions stay as they are. The law was thus chosen "
        "knowing the held-out part, and so was the floor of 5 mm below which the error does not shrink (an "
        "estimated one ran to its bound on the zeros of the set); prior, error and intervals were not.",
    ]
    return "\n".join(lines) + "\n"


def _antigen(held: AntigenForecasts) -> str:
    table = held.errors()
    better = int((table["forecast"] < table["last"]).sum())
    mean = table[["forecast", "last"]].mean()
    verdict = "beats" if mean["forecast"] < mean["last"] else "does **not** beat"
    lines = [
        "## Prostate-specific antigen under abiraterone: forecasts of the last third",
        "",
        "Shared patients of the abiraterone trial (Zhang 2022). Cells at the start, antigen of a full "
        "tumour, growth of sensitive cells and effect of the drug are each patient's own, with an assumed "
        "wide prior; the drug is on and off as it was given. Errors are of the logarithm. Which parameters "
        "are a patient's own was chosen among three sets that were tried on these series.",
        "",
        "| patient | held-out visits | forecast | last value |",
        "|---|---:|---:|---:|",
    ]
    for name, row in table.iterrows():
        lines.append(f"| {name} | {row['visits']:.0f} | {row['forecast']:.2f} | {row['last']:.2f} |")
    lines += [
        f"| mean of patients | | {mean['forecast']:.2f} | {mean['last']:.2f} |",
        "",
        f"The forecast is nearer in {better} of {len(table)} patients and {verdict} the last value in the "
        f"mean. "
        "The model describes who cycles regularly; a rise that the first two thirds do not announce is not "
        "foreseen. Some posteriors have several modes, of which 400 draws around one give a rough picture: "
        "with other seeds the share within the interval was between 80 and 92 %.",
    ]
    return "\n".join(lines) + "\n"


def _equations() -> str:
    """Models of tumours and drugs against the values that they must give."""
    lines = [
        "## Models against their own sources",
        "",
        "Values that the equations must give, by `vht models validate`; the last column is the largest "
        "difference as a share of what its source tolerates.",
        "",
        "| model | values | within tolerance | largest share |",
        "|---|---:|---:|---:|",
    ]
    for model in catalogue().values():
        if model.clock != "d" or not model.checks:
            continue
        results = validate(model).results
        share = max(abs(r.computed - r.check.published) / r.check.allowed for r in results)
        lines.append(f"| {model.title} | {len(results)} | {sum(r.passed for r in results)} | {share:.0%} |")
    return "\n".join(lines) + "\n"


def document(data: Path) -> str:
    """All tables as one Markdown document. Takes about a minute."""
    mice, held, antigen = mouse_fits(data), lesion_forecasts(data), antigen_forecasts(data)
    parts = [
        _mice(mice),
        mouse_claims(mice).markdown(),
        coverage_claims(held, antigen).markdown(),
        _lesions(held),
        _antigen(antigen),
        Claims("Virtual trials", breast_cancer()).markdown(),
        _equations(),
    ]
    return _HEAD + "\n".join(parts)


def main(data: str, path: str) -> None:
    """Write the document to a file.

    Raises:
        FileNotFoundError: the folder holds no oncology data.
    """
    folder = Path(data)
    if not (folder / "oncology").is_dir():
        raise FileNotFoundError("no oncology reference data there; set VHT_SHARED_DATA to their folder")
    write_whole(Path(path), document(folder).encode())


if __name__ == "__main__":
    main(*sys.argv[1:3])
