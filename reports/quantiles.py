"""Percentiles with intervals, straight from SQL: the samples never come to Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from reports.run import Run
from reports.statistics import Basis, Estimate, enough_for, over_replications, percentile_ranks, rank_of

Key = tuple[Any, ...]


def percentiles(
    run: Run, relation: str, value: str, ps: Sequence[float], keys: Sequence[str] = (), *, steady: bool = False
) -> dict[Key, list[Estimate]]:
    """For each combination of ``keys`` in ``relation`` (sorted): one estimate for each share of ``ps``.

    ``relation`` is the name of a table or view with a column ``replication``. Each percentile is an observed sample (the
    smallest with at least a share p at or below it). ``steady``: the beginning of a day is like the rest of it, so that a
    replication that was cut short still carries an interval.
    """
    names = ", ".join(keys)
    by = f"{names}, " if keys else ""
    shares = f"[{', '.join(repr(p) for p in ps)}]"
    groups: dict[Key, list[tuple[int, list[float]]]] = defaultdict(list)
    for *key, _, n, found in run.sql(
        f"SELECT {by}replication, count(*), quantile_disc({value}, {shares}) FROM {relation} GROUP BY {by}replication ORDER BY "
        f"{by}replication"
    ):
        groups[tuple(key)].append((int(n), found))
    if run.cut_short and not steady:
        return {key: [_cut(parts, i) for i in range(len(ps))] for key, parts in groups.items()}
    several = run.replications > 1
    pooled = {} if several else _ordered(run, relation, value, ps, keys, groups)
    return {key: [_over(parts, i, p) for i, p in enumerate(ps)] if several else pooled[key] for key, parts in groups.items()}


def _cut(parts: list[tuple[int, list[float]]], i: int) -> Estimate:
    numbers = [float(found[i]) for _, found in parts]
    return Estimate(sum(numbers) / len(numbers), None, None, sum(n for n, _ in parts), Basis.CUT_SHORT)


def _over(parts: list[tuple[int, list[float]]], i: int, p: float) -> Estimate:
    """t over the replications, unless one of them has too few samples for its own percentile to mean anything."""
    n = sum(count for count, _ in parts)
    numbers = [float(found[i]) for _, found in parts]
    if min(count for count, _ in parts) < enough_for(p) or len(parts) < 2:
        return Estimate(sum(numbers) / len(numbers), None, None, n, Basis.TOO_FEW)
    return over_replications(numbers, n)


def _ordered(
    run: Run,
    relation: str,
    value: str,
    ps: Sequence[float],
    keys: Sequence[str],
    groups: dict[Key, list[tuple[int, list[float]]]],
) -> dict[Key, list[Estimate]]:
    """Order statistics inside one replication: the wanted ranks are asked for by number."""
    wanted: dict[Key, list[tuple[int, int, int] | int]] = {}
    for key, [(n, _)] in groups.items():
        wanted[key] = []
        for p in ps:
            around = percentile_ranks(n, p)
            wanted[key].append((rank_of(n, p), *around) if around else rank_of(n, p))
    found = {key: _at_ranks(run, relation, value, keys, key, groups[key][0][0], ranks) for key, ranks in wanted.items()}
    result: dict[Key, list[Estimate]] = {}
    for key, ranks in wanted.items():
        n, at = groups[key][0][0], found[key]
        result[key] = [
            Estimate(at[r[0]], at[r[1]], at[r[2]], n, Basis.ORDER_STATISTICS)
            if isinstance(r, tuple)
            else Estimate(at[r], None, None, n, Basis.TOO_FEW)
            for r in ranks
        ]
    return result


def _at_ranks(
    run: Run, relation: str, value: str, keys: Sequence[str], key: Key, n: int, ranks: list[tuple[int, int, int] | int]
) -> dict[int, float]:
    flat = sorted({r for entry in ranks for r in (entry if isinstance(entry, tuple) else (entry,))})
    where = " AND ".join(f"{name} = ?" for name in keys) or "true"
    shares = ", ".join(repr((r - 0.5) / n) for r in flat)  # half a rank below: the discrete quantile is then that rank exactly
    (values,) = run.sql(f"SELECT quantile_disc({value}, [{shares}]) FROM {relation} WHERE {where}", *key)[0]
    return {rank: float(v) for rank, v in zip(flat, values, strict=True)}
