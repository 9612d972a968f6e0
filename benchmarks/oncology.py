"""Measure slow models against their peers and write the second section of ``RESULTS.md``.

A year of a drug, its toxicity and its tumour, patient by patient. Everything is measured in one process on
one core, the ways to solve the problem taking turns, by the processor's time; ratios are medians over the
rounds. ``make benchmark`` runs it.
"""

from __future__ import annotations

import os

CORES = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, CORES[-1:])  # before anything starts threads

from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from functools import partial  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks import oncology_problem as problem  # noqa: E402
from benchmarks.measuring import cpu_seconds, machine, replace_section, target  # noqa: E402
from organ_models.engines import Engine, Precision  # noqa: E402
from organ_models.stepping import run  # noqa: E402
from vht.course import prepared_course  # noqa: E402
from vht.slow_models import stepped  # noqa: E402

HEADING = "## A year of docetaxel, its neutropenia and its tumour"
ROUNDS = 7

Solver = Callable[[int], np.ndarray]
"""``solver(patients)`` gives the outputs at the ends of weeks, shape ``(3, weeks, patients)``."""


def ours(engine: Engine, precision: Precision = "double") -> Solver:
    """Our slow models, from doses and parameters to outputs, as :func:`vht.course.course` runs them."""

    def solve(n: int) -> np.ndarray:
        ready = prepared_course(problem.PATIENT, problem.people(n), problem.doses(), problem.WEEKS)
        seen, _ = run(
            stepped(ready.models, precision),
            ready.parameters,
            ready.steps,
            ready.amounts,
            ready.parcels,
            np.zeros((0, n)),
            engine=engine,
        )
        rows = [list(ready.models.outputs).index(name) for name in problem.OUTPUTS]
        return np.moveaxis(seen[:, rows], 0, 1)

    return solve


def lsoda(tolerance: float, *, ivp: bool = False) -> Solver:
    """SciPy's LSODA with the right-hand side compiled by numba, anew from every change of the infusion."""
    from scipy.integrate import odeint, solve_ivp

    def piece(y: np.ndarray, q: np.ndarray, infused: float, times: np.ndarray) -> np.ndarray:
        if ivp:
            options = {"method": "LSODA", "rtol": tolerance, "atol": tolerance, "t_eval": times[1:]}
            return solve_ivp(problem.rate, (times[0], times[-1]), y, args=(q, infused), **options).y.T
        options = {"rtol": tolerance, "atol": tolerance, "mxstep": 100_000}
        return odeint(problem.rate, y, times, args=(q, infused), tfirst=True, **options)[1:]

    plan = []
    for begin, end, infused in problem.pieces():
        weeks = problem.weeks_within(begin, end)
        plan.append((infused, weeks.size, np.array([begin, *weeks[weeks < end], end])))

    def solve(n: int) -> np.ndarray:
        out = []
        for k in range(n):
            q = np.ascontiguousarray(problem.coefficients(n)[:, k])
            y, seen = problem.start(q), []
            for infused, weeks, times in plan:
                y[9] += problem.DOSE if infused else 0.0
                states = piece(y, q, infused, times)
                seen.append(states[:weeks])
                y = states[-1].copy()
            out.append(problem.read(np.concatenate(seen).T))
        return np.stack(out, axis=-1)

    return solve


def roadrunner(tolerance: float) -> Solver:
    """CVODE of libRoadRunner on its own compiled model, whose events start and stop the infusion."""
    import roadrunner as rr

    rr.Logger.setLevel(rr.Logger.LOG_ERROR)
    made = rr.RoadRunner()
    for name in (*(f"q{i}" for i in range(16)), *(f"y{i}" for i in range(problem.STATES))):
        made.addParameter(name, 1.0, False)
    for name in ("infused", "called", "begins", "stops"):
        made.addParameter(name, 0.0, False)
    made.addAssignmentRule("called", "(q8 / y8)^q9", False)
    rates = [
        "infused - (q0 + q1 + q3) * y0 + q2 * y1 + q4 * y2",
        "q1 * y0 - q2 * y1",
        "q3 * y0 - q4 * y2",
        "q6 * y0",
        "q7 * ((1 - q10 * q5 * y0) * called - 1)",
        "q7 * (exp(y4) - y5)",
        "q7 * (y5 - y6)",
        "q7 * (y6 - y7)",
        "q7 * (y7 - y8)",
        "-q13 * y9",
        "q11 - q12 * q13 * y9 * exp(-q14 * time)",
    ]
    for i, formula in enumerate(rates):
        made.addRateRule(f"y{i}", formula, False)
    running, interval = problem.DOSE / problem.INFUSION, f"{problem.INTERVAL!r}"
    made.addEvent("start_of_infusion", False, "time >= begins", False)
    made.addEventAssignment("start_of_infusion", "infused", f"{running!r}", False)
    made.addEventAssignment("start_of_infusion", "y9", f"y9 + {problem.DOSE!r}", False)
    made.addEventAssignment("start_of_infusion", "begins", f"begins + {interval}", False)
    made.addEvent("end_of_infusion", False, "time >= stops", False)
    made.addEventAssignment("end_of_infusion", "infused", "0", False)
    made.addEventAssignment("end_of_infusion", "stops", f"stops + {interval}", False)
    made.regenerateModel()
    made.integrator.relative_tolerance = tolerance
    made.integrator.absolute_tolerance = tolerance
    made.integrator.maximum_num_steps = 1_000_000
    made.timeCourseSelections = [f"y{i}" for i in range(problem.STATES)]

    def solve(n: int) -> np.ndarray:
        out = []
        for k in range(n):
            made.reset()
            q = problem.coefficients(n)[:, k]
            y = problem.start(q)
            y[9] = problem.DOSE
            for i, value in enumerate(q):
                made[f"q{i}"] = value
            for i, value in enumerate(y):
                made[f"y{i}"] = value
            made["infused"], made["begins"], made["stops"] = running, problem.INTERVAL, problem.INFUSION
            found = made.simulate(0.0, problem.WEEKS[-1], problem.WEEKS.size + 1)
            out.append(problem.read(np.array(found)[1:].T))
        return np.stack(out, axis=-1)

    return solve


@dataclass(frozen=True)
class Entry:
    """One way to solve the problem, and how many patients are a round."""

    name: str
    setting: str
    make: Callable[[], Solver]
    patients: int


SINGLE, ROADRUNNER = "native, single precision", "libRoadRunner CVODE"
SOLVE_IVP, ODEINT = "SciPy LSODA (solve_ivp), numba", "SciPy LSODA (odeint), numba"
ENTRIES = (
    Entry("native", "steps of the models", lambda: ours("native"), 1024),
    Entry(SINGLE, "steps of the models", lambda: ours("native", "single"), 1024),
    Entry("portable", "steps of the models", lambda: ours("portable"), 256),
    Entry(ROADRUNNER, "tolerance 3e-8", lambda: roadrunner(3e-8), 16),
    Entry(SOLVE_IVP, "tolerance 5e-7", lambda: lsoda(5e-7, ivp=True), 2),
    Entry(ODEINT, "tolerance 5e-7", lambda: lsoda(5e-7), 4),
)
TARGETS = (
    ("native", ROADRUNNER, 25),
    ("native", SOLVE_IVP, 250),
    ("native", ODEINT, 250),
    (SINGLE, ROADRUNNER, 40),
    (SINGLE, SOLVE_IVP, 350),
    (SINGLE, ODEINT, 350),
)
LIMIT = 1e-4


def main() -> None:
    """Measure everything and write the section."""
    solvers: dict[str, Solver] = {}
    errors, skipped = {}, {}
    for entry in ENTRIES:
        try:
            solve = entry.make()
        except (ImportError, RuntimeError) as error:
            skipped[entry.name] = str(error)
            continue
        errors[entry.name] = problem.errors(solve(problem.REFERENCE_PATIENTS))
        solve(entry.patients)
        solvers[entry.name] = solve
    rounds: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(ROUNDS):
        for entry in ENTRIES:
            if entry.name in solvers:
                spent = cpu_seconds(partial(solvers[entry.name], entry.patients))
                rounds[entry.name].append(entry.patients / spent)
    speed = {name: np.array(found) for name, found in rounds.items()}
    lines = [*_introduction(), "", *_table(speed, errors, skipped), ""]
    lines += ["| target | wanted | measured | |", "|---|---|---|---|"]
    for mine, peer, wanted in TARGETS:
        if peer in skipped or mine in skipped:
            lines.append(f"| {mine} over {peer} | ≥ {wanted} | skipped | |")
        else:
            lines.append(target(f"{mine} over {peer}", wanted, float(np.median(speed[mine] / speed[peer]))))
    for name in [mine for mine in dict.fromkeys(mine for mine, _, _ in TARGETS) if mine in errors]:
        found = float(np.percentile(errors[name], 95))
        lines.append(target(f"error of {name}, 95th percentile", LIMIT, found, most=True))
    replace_section(HEADING, lines)
    print("\n".join(lines))


def _introduction() -> list[str]:
    return [
        machine(len(CORES)),
        "",
        f"{problem.DOSE:g} mg of docetaxel over an hour every {problem.INTERVAL:g} days for a year: three "
        "compartments (Ozawa 2007), neutrophils (Kloft 2006) and tumour (Bruno 2012), patients drawn with "
        "the published variability. Everything ran in one process on one core, taking turns for "
        f"{ROUNDS} rounds. Speed is in patient-years per second of processor time (median, with the slowest "
        "and fastest round). Errors are the largest relative error of neutrophils, sum of diameters and "
        f"exposure at the ends of {problem.WEEKS.size} weeks, over {problem.REFERENCE_PATIENTS} patients, "
        "against DOP853 at 1e-11. Every peer solves the same equations, with the logarithm of the "
        "proliferating cells in which our model is written; their tolerances are the loosest tried that keep "
        "the 95th percentile within 1e-4. In single precision are the rates of the neutrophils, four in "
        "every step, with the concentration that they see; states, time, doses and the closed forms of drug "
        "and tumour stay double, so that nearly all of its error is that of the steps, which both precisions "
        "share.",
    ]


def _table(speed: dict[str, np.ndarray], errors: dict[str, np.ndarray], skipped: dict[str, str]) -> list[str]:
    lines = [
        "| engine | setting | patients | patient-years/s | error p50 / p95 / max |",
        "|---|---|---|---|---|",
    ]
    for entry in ENTRIES:
        if entry.name in skipped:
            lines.append(f"| {entry.name} | {entry.setting} | skipped: {skipped[entry.name]} | | |")
            continue
        found, error = speed[entry.name], errors[entry.name]
        lines.append(
            f"| {entry.name} | {entry.setting} | {entry.patients} | {np.median(found):,.0f} "
            f"({found.min():,.0f}–{found.max():,.0f}) | {np.median(error):.1e} / "
            f"{np.percentile(error, 95):.1e} / {error.max():.1e} |"
        )
    return lines


if __name__ == "__main__":
    main()
