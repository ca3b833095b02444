#!/usr/bin/env python3
"""Figures of labels, day by day, against definitions computed here from the files.

    check_performance.py DRIFTD DATA_DIR

bike (regression) and elec2 (two classes) are replayed with their labels (the first of each id counts). Every
figure of view `performance_daily` and of `label_delay` is computed again, from the records of the day, by its
definition. Ends with `N passed, N failed`."""
import collections
import gzip
import json
import math
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile

DAY = 86400000
passed = failed = 0


def check(name, got, want, tolerance=1e-9):
    global passed, failed
    if want is None or got is None:
        true = want is None and got is None
    else:
        true = abs(got - want) <= tolerance * max(1, abs(want))
    passed += true
    failed += not true
    if not true:
        print(f'FAIL {name}: {got}, expected {want}')


def read(path):
    with gzip.open(path, 'rt') as f:
        return [json.loads(line) for line in f]


def regression(rows):
    y = [label for _, label, _ in rows]
    e = [label - p['value'] for p, label, _ in rows]
    n, mean = len(y), sum(y) / len(y)
    spread = sum((v - mean) ** 2 for v in y)
    inside = [p['lower'] <= label <= p['upper'] for p, label, _ in rows]
    return {'n': n, 'bias': sum(e) / n, 'mae': sum(map(abs, e)) / n, 'rmse': math.sqrt(sum(v * v for v in e) / n),
            'r2': 1 - sum(v * v for v in e) / spread if spread > 0 else None, 'coverage': sum(inside) / n,
            'width': sum(p['upper'] - p['lower'] for p, _, _ in rows) / n, 'accuracy': None, 'brier': None}


def ratio(a, b):
    return a / b if b else 0.0


def log_odds_bin(p):
    odds = math.log2(p / (1 - p)) if 0 < p < 1 else math.inf if p >= 1 else -math.inf
    at = (odds + 40) * 8192 / 80
    return 8191 if at >= 8192 else int(at) if at > 0 else 0


def auc(high, low):
    """As documented: pairs whose log odds share one of 8192 bins count half."""
    if not high or not low:
        return None
    high, low = [log_odds_bin(p) for p in high], [log_odds_bin(p) for p in low]
    return sum((h > v) + 0.5 * (h == v) for h in high for v in low) / (len(high) * len(low))


def adaptive(top, right):
    """15 bins of equal mass; equal log odds stay together, and count as the middle of their bin."""
    if len(top) < 2:
        return None
    places = collections.defaultdict(list)
    for c, r in zip(top, right):
        places[log_odds_bin(c)].append(r)
    n, seen, total, bins, group = len(top), 0, 0.0, 1, []
    for place in sorted(places):
        middle = 1 / (1 + 2 ** -((place + 0.5) * 80 / 8192 - 40))
        group += [(middle, r) for r in places[place]]
        seen += len(places[place])
        if seen * 15 < n * bins:
            continue
        bins = max(bins, min(15, seen * 15 // n + 1))
        if len(group) > 1:
            k, r = len(group), sum(r for _, r in group) / len(group)
            total += k / n * ((r - sum(c for c, _ in group) / k) ** 2 - r * (1 - r) / (k - 1))
        group = []
    return math.sqrt(max(0, total))


def classification(rows, classes):
    n = len(rows)
    pairs = [(p['class'], label) for p, label, _ in rows]
    out = {'n': n, 'accuracy': sum(a == b for a, b in pairs) / n, 'mae': None}
    out['error_rate'] = 1 - out['accuracy']
    scores = {}
    for c in classes:
        tp = sum(a == c and b == c for a, b in pairs)
        fp = sum(a == c and b != c for a, b in pairs)
        fn = sum(a != c and b == c for a, b in pairs)
        if tp + fp + fn:
            scores[c] = ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)
    for i, name in enumerate(('precision', 'recall', 'f1')):
        out[name + '_macro'] = sum(s[i] for s in scores.values()) / len(scores)
        out[name] = scores[classes[1]][i] if classes[1] in scores else None
    probs = [p['probs'] if isinstance(p['probs'], dict) else dict(zip(classes, p['probs'])) for p, _, _ in rows]
    top = [max(q.values()) for q in probs]
    right = [a == b for a, b in pairs]
    out['mean_confidence'] = sum(top) / n
    out['brier'] = sum(sum((v - (c == b)) ** 2 for c, v in q.items()) for q, (_, b) in zip(probs, pairs)) / n
    out['nll'] = -sum(math.log(max(q[b], 1e-12)) for q, (_, b) in zip(probs, pairs)) / n
    out['error_auroc'] = auc([c for c, r in zip(top, right) if r], [c for c, r in zip(top, right) if not r])
    second = [q[classes[1]] for q in probs]
    out['auroc'] = auc([s for s, (_, b) in zip(second, pairs) if b == classes[1]],
                       [s for s, (_, b) in zip(second, pairs) if b != classes[1]])
    bins = collections.defaultdict(list)
    for c, r in zip(top, right):
        bins[max(0, math.ceil(c * 15) - 1)].append((c, r))
    base = out['accuracy']
    gap = {b: (len(v), sum(c for c, _ in v) / len(v), sum(r for _, r in v) / len(v)) for b, v in bins.items()}
    out['ece15'] = sum(k / n * abs(c - r) for k, c, r in gap.values())
    out['mce'] = max(abs(c - r) for _, c, r in gap.values())
    out['reliability'] = sum(k / n * (c - r) ** 2 for k, c, r in gap.values())
    out['resolution'] = sum(k / n * (r - base) ** 2 for k, c, r in gap.values())
    out['uncertainty'] = base * (1 - base)
    out['ece_debiased'] = math.sqrt(max(0, sum(k / n * ((c - r) ** 2 - r * (1 - r) / (k - 1))
                                               for k, c, r in gap.values() if k > 1)))
    out['ece_adaptive'] = adaptive(top, right)
    return out


def one(driftd, data, name):
    meta = json.load(open(os.path.join(data, name, 'meta.json')))
    files = {f: os.path.join(data, name, f + '.jsonl.gz') for f in ('stream', 'labels')}
    classes = [str(c) for c in meta.get('classes', [])]
    with tempfile.TemporaryDirectory() as scratch:
        config, db = (os.path.join(scratch, f) for f in ('driftd.yaml', 'replay.db'))
        with open(config, 'w') as f:
            f.write(f'windows: {{width: 1d}}\nmodels: [{{name: {meta["model"]}'
                    + (f', classes: {json.dumps(classes)}' if classes else '') + '}]\n')
        subprocess.run([driftd, 'replay', config, files['stream'], files['labels'], '-o', db, '--quiet'], check=True,
                       stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        connection.row_factory = sqlite3.Row
        days = connection.execute('SELECT * FROM performance_daily WHERE n > 0').fetchall()
        delay = {r['day']: r for r in connection.execute('SELECT * FROM label_delay')}
        windows = [r[0] for r in connection.execute(
            'SELECT window_ms FROM label_statistics WHERE width_ms = 86400000 AND labelled > 0 ORDER BY 1 DESC')]
        connection.close()
    stream, first, watermark, day_of = {}, {}, None, {}
    for r in read(files['stream']):
        stream[r['id']] = r
    for label in read(files['labels']):
        if label['id'] in stream:
            first.setdefault(label['id'], label)
    by_day = collections.defaultdict(list)
    for i, label in first.items():
        r = stream[i]
        y = label['label'] if not classes else str(label['label'])
        by_day[r['ts'] // DAY * DAY].append((r['prediction'], y, label['ts'] - r['ts']))
    check(f'{name} days', len(days), len(by_day))
    for row, window in zip(days, windows):
        rows = by_day[window]
        want = classification(rows, classes) if classes else regression(rows)
        for figure, value in want.items():
            check(f'{name} {row["day"]} {figure}', row[figure], value)
        for key, limit in (('within_hour', 3600000), ('within_day', DAY), ('within_week', 7 * DAY)):
            check(f'{name} {row["day"]} {key}', delay[row['day']][key], sum(d <= limit for _, _, d in rows) / len(rows))
        check(f'{name} {row["day"]} mean_delay_h', delay[row['day']]['mean_delay_h'],
              sum(d for _, _, d in rows) / len(rows) / 3600000)


def uniform(stream, n):
    mask = (1 << 64) - 1
    z = (1 + stream * 0xD1B54A32D192ED03 + n * 0x9E3779B97F4A7C15) & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    z ^= z >> 31
    return ((z >> 12) + 0.5) * 2.0 ** -52


def poisson(u):
    k, p = 0, math.exp(-1)
    total = p
    while u > total:
        k += 1
        p /= k
        total += p
    return k


def bootstrap(driftd, data):
    """Intervals of performance_now on bike: 200 replicas, weights by time and value of the prediction."""
    files = {f: os.path.join(data, 'bike', f + '.jsonl.gz') for f in ('stream', 'labels')}
    with tempfile.TemporaryDirectory() as scratch:
        config, db = (os.path.join(scratch, f) for f in ('driftd.yaml', 'replay.db'))
        with open(config, 'w') as f:
            f.write('windows: {width: 1d}\nmodels: [{name: bike}]\n')
        subprocess.run([driftd, 'replay', config, files['stream'], files['labels'], '-o', db, '--quiet'], check=True,
                       stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        connection.row_factory = sqlite3.Row
        now = connection.execute('SELECT *, (SELECT from_ms FROM label_recent) AS from_ms FROM performance_now').fetchone()
        connection.close()
    labels = {}
    for label in read(files['labels']):
        labels.setdefault(label['id'], label['label'])
    rows = [(r['ts'] * 0xD1B54A32D192ED03 % (1 << 64) ^ struct.unpack('<Q', struct.pack('<d', r['prediction']['value']))[0],
             labels[r['id']], r['prediction']) for r in read(files['stream'])
            if r['id'] in labels and r['ts'] >= now['from_ms']]
    check('bootstrap n', now['n'], len(rows))
    weights = [[poisson(uniform(b, i)) for i, _, _ in rows] for b in range(1, 201)]
    losses = {'bias': [y - p['value'] for _, y, p in rows], 'mae': [abs(y - p['value']) for _, y, p in rows],
              'rmse': [(y - p['value']) ** 2 for _, y, p in rows],
              'winkler': [p['upper'] - p['lower'] + 20 * max(p['lower'] - y, 0) + 20 * max(y - p['upper'], 0)
                          for _, y, p in rows]}
    for figure, loss in losses.items():
        means = sorted(sum(w * v for w, v in zip(ws, loss)) / sum(ws) for ws in weights)
        low, high = (math.sqrt(m) if figure == 'rmse' else m for m in (means[4], means[194]))
        check(f'bootstrap {figure}_low', now[figure + '_low'], low)
        check(f'bootstrap {figure}_high', now[figure + '_high'], high)
    print(f'bike MAE {now["mae"]:.2f} ({now["mae_low"]:.2f} to {now["mae_high"]:.2f}) over {now["n"]} labels')


def confidence(driftd, data):
    """Average thresholded confidence on elec2, as its definition says; the estimate beside the truth."""
    files = {f: os.path.join(data, 'elec2', f + '.jsonl.gz') for f in ('reference', 'stream', 'labels')}
    with tempfile.TemporaryDirectory() as scratch:
        config, db = (os.path.join(scratch, f) for f in ('driftd.yaml', 'replay.db'))
        with open(config, 'w') as f:
            f.write('windows: {width: 1d}\nmodels: [{name: elec, classes: [DOWN, UP]}]\n')
        subprocess.run([driftd, 'replay', config, files['stream'], files['labels'], '--reference', files['reference'],
                        '-o', db, '--quiet'], check=True, stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        n, below = connection.execute("SELECT sum(n), sum(n * mean) FROM statistics JOIN streams USING (stream_id)"
                                      " WHERE kind = 'confidence'").fetchone()
        now = connection.execute('SELECT accuracy, estimated_accuracy FROM performance_now').fetchone()
        connection.close()
    top = [(max(p.values()) if isinstance(p, dict) else max(p), r['prediction']['class'] != str(r['label']))
           for r in read(files['reference'])[:1000] for p in (r['prediction']['probs'],)]
    wrong = sum(w for _, w in top)
    threshold = sorted(c for c, _ in top)[min(wrong, 999)]
    stream = [max(p.values()) if isinstance(p, dict) else max(p)
              for p in (r['prediction']['probs'] for r in read(files['stream']))]
    check('confidence n', n, len(stream))
    check('confidence below', below, sum(c < threshold for c in stream), 1e-6)
    print(f'elec2 accuracy over the last labels {now[0]:.4f}, estimated {now[1]:.4f}; '
          f'by average thresholded confidence over all {1 - below / n:.4f}')


def recalibration(driftd, data):
    """The promise of adaptive conformal inference: |mean miss - alpha| <= (max(a, 1 - a) + gamma) / (T gamma)."""
    files = [os.path.join(data, 'bike', f + '.jsonl.gz') for f in ('stream', 'labels')]
    with tempfile.TemporaryDirectory() as scratch:
        config, db = (os.path.join(scratch, f) for f in ('driftd.yaml', 'replay.db'))
        with open(config, 'w') as f:
            f.write('models: [{name: bike, coverage: {recalibrate: aci}}]\n')
        subprocess.run([driftd, 'replay', config, *files, '-o', db, '--quiet'], check=True,
                       stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        n, made, adapted = connection.execute(
            'SELECT sum(labels), sum(covered), sum(covered_adapted) FROM recalibration').fetchone()
        connection.close()
    print(f'bike coverage as made {made / n:.4f}, adapted {adapted / n:.4f} over {n} labels')
    check('recalibration aci', adapted / n, 0.9, (0.9 + 0.005) / (n * 0.005))


def main():
    driftd, data = sys.argv[1:3]
    one(driftd, data, 'bike')
    one(driftd, data, 'elec2')
    bootstrap(driftd, data)
    recalibration(driftd, data)
    confidence(driftd, data)
    print(f'{passed} passed, {failed} failed')
    return failed != 0


sys.exit(main())
