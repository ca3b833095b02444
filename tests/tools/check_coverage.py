#!/usr/bin/env python3
"""Coverage alarms through the whole path, on made-up streams.

    check_coverage.py DRIFTD DATA_DIR [--runs N]

1. False alarms / what was spent, of a coverage that is exactly what its limit says, with labels that come at once,
   late, not at all, twice, out of order, in bulk sorted by outcome, and later where the outcome is bad. 40 models a
   row; the limits are exact (Poisson, 99 %): a row whose lower limit exceeds 1 fails.
2. Five groups of which one loses coverage: which groups have an alert, and how many of its records it took, beside a
   model of that group alone whose coverage has the same share of the budget.

Ends with `N passed, N failed`."""
import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

from tally import check, end

MODELS, RECORDS, BEGIN = 40, 6000, 1700006400000
MINUTE, BULK, HOUR, DAY = 60000, 900000, 3600000, 86400000


def replay(driftd, scratch, config, records, labels):
    paths = {n: os.path.join(scratch, n) for n in ('driftd.yaml', 'records.jsonl', 'labels.jsonl', 'replay.db')}
    with open(paths['driftd.yaml'], 'w') as f:
        f.write(config)
    for name, lines in (('records.jsonl', records), ('labels.jsonl', labels)):
        with open(paths[name], 'w') as f:
            f.writelines(lines)
    if os.path.exists(paths['replay.db']):
        os.unlink(paths['replay.db'])
    subprocess.run([driftd, 'replay', paths['driftd.yaml'], paths['records.jsonl'], paths['labels.jsonl'], '-o',
                    paths['replay.db'], '--quiet'], check=True, stdout=subprocess.DEVNULL)
    return sqlite3.connect(paths['replay.db'])


def poisson_limits(k, tail=.005):
    """Of the mean of a Poisson variable seen as k."""
    def below(m, n):
        return sum(math.exp(i * math.log(m) - m - math.lgamma(i + 1)) for i in range(n + 1)) if m > 0 else 1.0

    def solve(f):
        low, high = 0.0, 10.0 + 4 * k
        for _ in range(100):
            mid = (low + high) / 2
            low, high = (mid, high) if f(mid) else (low, mid)
        return low
    return (solve(lambda m: 1 - below(m, k - 1) < tail) if k else 0.0), solve(lambda m: below(m, k) > tail)


# -- 1. labels as they come ----------------------------------------------------------------------------------

ROWS = ('at once', 'late', '30 % missing', 'twice, then otherwise', 'out of order', 'in bulk, sorted by outcome',
        'misses 2 hours later', '30 % of misses missing')


def label_times(row, rng, ts, miss):
    """When the labels of a prediction come: none, one or several times."""
    if row == 'late':
        return [ts + int(rng.expovariate(1 / (DAY / 8)))]
    if row == '30 % missing':
        return [ts + MINUTE] if rng.random() > .3 else []
    if row == 'twice, then otherwise':
        return [ts + MINUTE, ts + 2 * MINUTE]
    if row == 'in bulk, sorted by outcome':
        return [(ts // BULK + 1) * BULK]
    if row == 'misses 2 hours later':
        return [ts + (2 * HOUR if miss else MINUTE)]
    if row == '30 % of misses missing':
        return [ts + (8 * DAY if miss and rng.random() < .3 else MINUTE)]
    return [ts + MINUTE]


def disordered(driftd, scratch, row, seed):
    rng = random.Random(seed)
    names = [f'm{k:02}' for k in range(MODELS)]
    config = ('id_hash_key: 000102030405060708090a0b0c0d0e0f\nalerts: {budget: 1000 per day}\nwindows: {width: 10m}\n'
              'defaults: {joint: {projections: 0}, labels: {wait: 1d, explain: 0},'
              ' performance: {coverage: {at_least: 0.9}}}\nmodels: [' +
              ', '.join(f'{{name: {n}}}' for n in names) + ']\n')
    records, labels = [], []
    for i in range(RECORDS):
        for k, name in enumerate(names):
            ts, miss = BEGIN + i * MINUTE + k, rng.random() < .1
            records.append(f'{{"id":"{name}-{i}","ts":{ts},"model":"{name}","prediction":{{"value":0,"lower":-1,'
                           '"upper":1,"level":0.9}}\n')
            for n, at in enumerate(label_times(row, rng, ts, miss)):
                value = 2 if miss != (n > 0) else 0
                labels.append((at, miss, f'{{"id":"{name}-{i}","ts":{at},"model":"{name}","label":{value}}}\n'))
    labels.sort(key=lambda x: x[:2])
    if row == 'out of order':
        labels = [x for i in range(0, len(labels), 2000) for x in rng.sample(labels[i:i + 2000],
                                                                             len(labels[i:i + 2000]))]
    db = replay(driftd, scratch, config, records, [x[2] for x in labels])
    alarms, spent, used = db.execute(
        "SELECT sum(d.alarms), sum(d.spent + d.spent_apart), sum(d.used) FROM detectors d JOIN streams s USING (stream_id)"
        " WHERE s.name GLOB 'performance:coverage*' AND d.role = 'paging'").fetchone()
    apart = db.execute("SELECT sum(d.alarms_apart) FROM detectors d JOIN streams s USING (stream_id)"
                       " WHERE s.name GLOB 'performance:coverage*' AND d.role = 'paging'").fetchone()[0]
    db.close()
    alarms = (alarms or 0) + (apart or 0)
    low, high = (m / spent for m in poisson_limits(alarms))
    check(f'labels {row:28}', low <= 1, f'alarms {alarms:3} / spent {spent:6.1f} = {alarms / spent:.2f} '
          f'({low:.2f} to {high:.2f}), {used} labels judged')


# -- 2. groups -----------------------------------------------------------------------------------------------

GROUPS, EACH, CHANGE = ('a', 'b', 'c', 'd', 'e'), 6000, 3500


def group_config(budget, segments):
    return ('id_hash_key: 000102030405060708090a0b0c0d0e0f\n'
            f'alerts: {{budget: {budget:.9g} per day, send: all}}\nwindows: {{width: 1h}}\nmodels:\n  - name: m\n'
            '    joint: {projections: 0}\n    labels: {wait: 1d, lateness: 1d, explain: 0}\n'
            f'    reference: {{from: first, records: 2500, span: 9d}}\n{segments}')


def coverage_test(db, segment):
    """Share, and of the first alert its opening."""
    share = db.execute("SELECT d.share FROM detectors d JOIN streams s USING (stream_id) WHERE s.segment = ? AND"
                       " s.kind = 'coverage' AND s.field = '' AND d.role = 'paging'", (segment,)).fetchone()
    opened = db.execute("SELECT min(a.opened_ms) FROM alerts a JOIN streams s USING (stream_id) WHERE s.segment = ?"
                        " AND s.kind = 'coverage' AND s.field = ''", (segment,)).fetchone()
    return share[0] if share else None, opened[0]


def groups(driftd, scratch, runs):
    together, alone, others = [], [], 0
    for run in range(runs):
        rng = random.Random(1000 + run)
        rows = []
        for i in range(EACH * len(GROUPS)):
            g = GROUPS[i % len(GROUPS)]
            bad = g == 'e' and i >= CHANGE * len(GROUPS)
            rows.append((g, BEGIN + i * MINUTE, rng.random() < (.25 if bad else .1)))
        changed = BEGIN + CHANGE * len(GROUPS) * MINUTE

        def lines(of):
            records = [f'{{"id":"{ts}","ts":{ts},"model":"m","segment":{{"group":"{g}"}},"prediction":{{"value":0,'
                       '"lower":-1,"upper":1,"level":0.9}}\n' for g, ts, _ in of]
            labels = [f'{{"id":"{ts}","ts":{ts + 1},"model":"m","label":{2 if miss else 0}}}\n' for _, ts, miss in of]
            return records, labels
        db = replay(driftd, scratch, group_config(1, '    segments: [group]\n'), *lines(rows))
        share, opened = coverage_test(db, 'group=e')
        others += db.execute("SELECT count(DISTINCT s.segment) FROM alerts a JOIN streams s USING (stream_id)"
                             " WHERE s.segment NOT IN ('', 'group=e') AND a.severity <> 'info'").fetchone()[0]
        db.close()
        only = [r for r in rows if r[0] == 'e']
        budget = 1.0
        for _ in range(2): # the share is proportional to the budget
            db = replay(driftd, scratch, group_config(budget, ''), *lines(only))
            own, single = coverage_test(db, '')
            db.close()
            budget *= share / own
        for times, at in ((together, opened), (alone, single)):
            times.append((at - changed) / (MINUTE * len(GROUPS)) if at and at > changed else EACH - CHANGE)
    mean = sum(together) / runs, sum(alone) / runs
    check('groups: the one that loses coverage is alerted alone', others == 0, f'{others} others in {runs} runs')
    check('groups: within 1.3 times the delay of watching it alone', mean[0] <= 1.3 * mean[1],
          f'{mean[0]:.0f} records among five, {mean[1]:.0f} alone with the same share: {mean[0] / mean[1]:.2f}')


def main():
    driftd, runs = sys.argv[1], int(sys.argv[4]) if sys.argv[3:4] == ['--runs'] else 6
    with tempfile.TemporaryDirectory() as scratch:
        for seed, row in enumerate(ROWS):
            disordered(driftd, scratch, row, seed)
        groups(driftd, scratch, runs)
    return end()


sys.exit(main())
