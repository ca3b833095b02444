#!/usr/bin/env python3
"""The daemon on streams with planted records that are out of distribution.

    check_ood_stream.py DRIFTD DATA_DIR

digits (a network's embeddings and logits: new digits, noise, rotated, inverted and shifted images from record 578
on) and satellite (embeddings, 616 of 3500 records of other soils). Each stream goes through `driftd replay` twice,
with a reference of its own (digits: and its first 150 records): as it is, which must raise a certified alert of stream ood:panel after the first
planted record, and without the planted records, which must not. The verdicts of `ood_records` must name planted
records, and the windows must add up. Ends with `N passed, N failed`."""
import csv
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

from tally import check, end

# An alarm needs 100 records that rank, every fourth of the reference: digits has 288.
BORROWED = {'digits': 150, 'satellite': 0}


def lines(path):
    with gzip.open(path, 'rt') as f:
        return [json.loads(line) for line in f]


def replay(driftd, folder, name, records, reference):
    base = os.path.join(folder, name)
    with open(base + '.yaml', 'w') as f:
        f.write(f'models:\n  - {{name: {records[0]["model"]}, labels: off}}\n')
    with open(base + '.jsonl', 'w') as f:
        f.writelines(json.dumps(r) + '\n' for r in records)
    subprocess.run([driftd, 'replay', base + '.yaml', base + '.jsonl', '-o', base + '.db', '--reference', reference],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return sqlite3.connect(base + '.db')


def alerts(db):
    return db.execute("SELECT opened_ms FROM alerts JOIN streams USING (stream_id) WHERE name LIKE 'ood:panel%' "
                      "AND promise = 'certified' ORDER BY opened_ms").fetchall()


def same_as_filter(driftd, folder, name, db, reference):
    """The most unlike records have the score and p-value that `driftd score panel` gives them."""
    done = subprocess.run([driftd, 'score', 'panel', '--reference', reference, os.path.join(folder, name + '.jsonl')],
                          check=True, capture_output=True, text=True)
    filtered = {row['id']: (float(row['score']), float(row['p'])) for row in csv.DictReader(done.stdout.splitlines())}
    kept = db.execute('SELECT id, score, p FROM ood_extremes').fetchall()
    off = max(max(abs(filtered[i][0] - s), abs(filtered[i][1] - p)) for i, s, p in kept)
    check(f'{name}: scores and p-values of `driftd score panel`', off <= 1e-12, f'{len(kept)} records, off {off:g}')


def one_set(driftd, data, folder, name):
    records = lines(os.path.join(data, name, 'stream.jsonl.gz'))
    reference = os.path.join(folder, name + '-reference.jsonl')
    with open(reference, 'w') as f:
        f.writelines(json.dumps(r) + '\n' for r in lines(os.path.join(data, name, 'reference.jsonl.gz')) +
                     [dict(r, label=r['prediction']['class']) for r in records[:BORROWED[name]]])
    records = records[BORROWED[name]:]
    with gzip.open(os.path.join(data, name, 'ood_truth.csv.gz'), 'rt') as f:
        planted = {row['id'] for row in csv.DictReader(f) if row['ood'] == '1'}
    first = next(r['ts'] for r in records if r['id'] in planted)
    after = [r['ts'] for r in records if r['ts'] >= first]

    db = replay(driftd, folder, name, records, reference)
    found = alerts(db)
    delay = sum(ts <= found[0][0] for ts in after) if found else 0
    check(f'{name}: an alert after the first planted record', found and found[0][0] >= first, f'{delay} records')
    n, flagged = db.execute("SELECT sum(n), sum(flagged) FROM ood_windows WHERE width_ms = 86400000 "
                            "AND segment = ''").fetchone()
    check(f'{name}: every record has a verdict', n == len(records), f'{n}, {flagged} of them out')
    worst = [row[0] for row in db.execute('SELECT id FROM label_next LIMIT 50')]
    share = sum(i in planted for i in worst) / max(1, len(worst))
    check(f'{name}: the ids worth labelling are planted ones', share >= .9, f'{share:.2f} of {len(worst)}')

    same_as_filter(driftd, folder, name, db, reference)
    quiet = replay(driftd, folder, name + '-quiet', [r for r in records if r['id'] not in planted], reference)
    check(f'{name}: silent without them', not alerts(quiet))
    n, flagged, alpha, high = quiet.execute(
        "SELECT sum(o.n), sum(flagged), alpha, r.rate_high FROM ood_windows o JOIN ood_refs r USING (stream_id) "
        "WHERE width_ms = 86400000 AND segment = ''").fetchone()
    check(f'{name}: no more of them out than the reference says', high is None or flagged / n <= high,
          f'{flagged} of {n}, alpha {alpha}')


def main():
    driftd, data = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for name in ('digits', 'satellite'):
            one_set(driftd, data, folder, name)
    return end()


sys.exit(main())
