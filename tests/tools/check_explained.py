#!/usr/bin/env python3
"""What an alert of coverage or error names, against a regression tree on the same outcomes.

    check_explained.py DRIFTD DATA_DIR

bike and elec2 are replayed. For each coverage or error alert that is explained by labels after it opened, a
regression tree (CART, variance reduction, categories one against the rest) is fitted to the misses or errors of
the labels that came while it was open. The feature of its root must be among the places that the alert names,
and the first feature that the alert names among the tree's first two. Ends with `N passed, N failed`."""
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from datetime import datetime

from tally import check, end

OUTPUTS = {'predicted value', 'width', 'set size', 'score', 'predicted class'}


def read(path):
    with gzip.open(path, 'rt') as f:
        return [json.loads(line) for line in f]


def best_split(values, hits):
    """Largest reduction of the sum of squares by one split of one feature."""
    n, total = len(hits), sum(hits)
    best = 0.0

    def gain(k, s):
        return s * s / k + (total - s) ** 2 / (n - k) - total * total / n if 0 < k < n else 0.0

    if any(isinstance(v, str) for v in values):
        for category in set(values):
            inside = [h for v, h in zip(values, hits) if v == category]
            best = max(best, gain(len(inside), sum(inside)))
        return best
    pairs = sorted((v if v is not None else float('-inf'), h) for v, h in zip(values, hits))
    s = 0
    for i, (v, h) in enumerate(pairs[:-1]):
        s += h
        if pairs[i + 1][0] > v:
            best = max(best, gain(i + 1, s))
    return best


def outcome(record, label, kind):
    p = record['prediction']
    if kind == 'error':
        return str(p.get('class')) != str(label)
    if 'set' in p:
        return str(label) not in [str(c) for c in p['set']]
    return not p['lower'] <= label <= p['upper']


def millis(text):
    return datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() * 1000


def one(driftd, data, name, model):
    files = {f: os.path.join(data, name, f + '.jsonl.gz') for f in ('reference', 'stream', 'labels')}
    with tempfile.TemporaryDirectory() as scratch:
        config, db = (os.path.join(scratch, f) for f in ('driftd.yaml', 'replay.db'))
        with open(config, 'w') as f:
            f.write(f'windows: {{width: 1d}}\nmodels: [{{name: {model}}}]\n')
        subprocess.run([driftd, 'replay', config, files['stream'], files['labels'], '--reference',
                        files['reference'], '-o', db, '--quiet'], check=True, stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        alerts = connection.execute(
            "SELECT a.alert_id, s.kind, a.opened, a.resolved FROM alerts_history a JOIN alerts t USING (alert_id)"
            " JOIN streams s ON s.stream_id = t.stream_id WHERE a.alert_id IN (SELECT alert_id FROM"
            " coverage_explained WHERE phase = 'after the alert') AND s.kind IN ('coverage', 'error')"
            " AND s.field = ''").fetchall()
        places = {a[0]: [r[0] for r in connection.execute(
            'SELECT field FROM coverage_explained WHERE alert_id = ? ORDER BY rank', (a[0],))] for a in alerts}
        connection.close()
    stream, first = {r['id']: r for r in read(files['stream'])}, {}
    for label in read(files['labels']):
        if label['id'] in stream:
            first.setdefault(label['id'], label)
    check(f'{name}/is_explained', len(alerts) > 0)
    for alert, kind, opened, resolved in alerts:
        until = millis(resolved) if resolved else float('inf')
        rows = [(stream[i]['features'], outcome(stream[i], l['label'], kind)) for i, l in first.items()
                if millis(opened) < l['ts'] <= until]
        hits = [h for _, h in rows]
        gains = {f: best_split([r.get(f) for r, _ in rows], hits) for f in rows[0][0]}
        order = sorted(gains, key=gains.get, reverse=True)
        named = [f for f in places[alert] if f not in OUTPUTS]
        detail = f'{kind} {alert[:4]}: tree {order[:3]}, alert {places[alert]}, {len(rows)} labels'
        check(f'{name}/the_root_of_the_tree_is_named', order[0] in named, detail)
        check(f'{name}/what_is_named_first_is_in_the_tree', named and named[0] in order[:2], detail)


def main():
    driftd, data = sys.argv[1:3]
    one(driftd, data, 'bike', 'bike')
    one(driftd, data, 'elec2', 'elec')
    return end()


sys.exit(main())
