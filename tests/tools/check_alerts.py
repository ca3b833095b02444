#!/usr/bin/env python3
"""Alerts of replays with default settings, each "no alert" beside the same stream with a planted change.

    check_alerts.py DRIFTD DATA_DIR

cover_control: nothing changes, no alert; the same stream with a shift of half a standard deviation in one
feature over the second half: an alert on that feature, none on the others. diamonds_planted: every planted
mean, variance, share, null, ramp and new category has an alert that opens inside its span, the broken
correlation one of the joint, and nothing opens outside of all spans. bike: a coverage alert within 400 labels of the fall; none before it.
Ends with `N passed, N failed`."""
import gzip
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile

from tally import check, end


def read(path):
    with gzip.open(path, 'rt') as f:
        return [json.loads(line) for line in f]


def replay(driftd, model, files, reference):
    """Alerts in order of opening: (kind:field, offset of the opening record, topic)."""
    with tempfile.TemporaryDirectory() as scratch:
        config = os.path.join(scratch, 'driftd.yaml')
        with open(config, 'w') as f:
            f.write(f'models: [{{name: {model}}}]\n')
        db = os.path.join(scratch, 'replay.db')
        subprocess.run([driftd, 'replay', config, *files, '--reference', reference, '-o', db, '--quiet'],
                       check=True, stdout=subprocess.DEVNULL)
        connection = sqlite3.connect(db)
        rows = connection.execute("SELECT s.kind || ':' || s.field, a.offset, a.topic FROM alerts a JOIN streams s "
                                  'USING (stream_id) ORDER BY a.opened_ms').fetchall()
        connection.close()
        return rows


def control(driftd, data):
    folder = os.path.join(data, 'cover_control')
    stream, reference = (os.path.join(folder, f + '.jsonl.gz') for f in ('stream', 'reference'))
    alerts = replay(driftd, 'cover', [stream], reference)
    check('cover_control/no_alert_where_nothing_changes', not alerts, alerts)
    rows = read(stream)
    half = len(rows) // 2
    sd = statistics.pstdev(r['features']['f3'] for r in rows[:5000])
    with tempfile.NamedTemporaryFile('wt', suffix='.jsonl', delete=False) as f:
        for i, r in enumerate(rows):
            if i >= half:
                r['features']['f3'] += 0.5 * sd
            f.write(json.dumps(r, separators=(',', ':')) + '\n')
    alerts = replay(driftd, 'cover', [f.name], reference)
    os.unlink(f.name)
    at = [a[1] for a in alerts if a[0] == 'feature:f3']
    check('cover_control/a_planted_shift_is_found', at and half <= at[0] < half + 3000, alerts[:3])
    check('cover_control/only_the_shifted_feature_and_the_joint_alert',
          all(a[0] in ('feature:f3', 'joint:projections') and a[1] >= half for a in alerts), alerts)


KIND = {'mean': 'feature:', 'variance': 'feature:', 'category': 'feature:', 'missing': 'missing:',
        'new_category': 'feature:', 'gradual': 'feature:'}


def planted(driftd, data):
    folder = os.path.join(data, 'diamonds_planted')
    meta = json.load(open(os.path.join(folder, 'meta.json')))
    alerts = replay(driftd, 'diamonds', [os.path.join(folder, 'stream.jsonl.gz')],
                    os.path.join(folder, 'reference.jsonl.gz'))
    for change in meta['known_changes']:
        name = KIND[change['kind']] + change['feature'] if change['kind'] in KIND else 'joint:projections'
        inside = [a[1] for a in alerts if a[0] == name and change['from'] <= a[1] < change['to']]
        check(f'diamonds_planted/{change["kind"]}_of_{change["feature"]}_is_found', inside,
              f'opened at {inside[:1]} in [{change["from"]}, {change["to"]})')
    outside = [a for a in alerts if not any(c['from'] <= a[1] < c['to'] for c in meta['known_changes'])]
    check('diamonds_planted/nothing_opens_outside', not outside, outside)


def coverage(driftd, data):
    folder = os.path.join(data, 'bike')
    stream, labels, reference = (os.path.join(folder, f + '.jsonl.gz')
                                 for f in ('stream', 'labels', 'reference'))
    alerts = [a for a in replay(driftd, 'bike', [stream, labels], reference) if a[0].startswith('coverage')]
    place = {r['id']: i for i, r in enumerate(read(stream))}
    order = [place[r['id']] for r in read(labels)]
    fall = min(i for i, at in enumerate(order) if at >= 2594)
    where = [a[1] for a in alerts if a[2].startswith('labels')]
    seen = [sum(at >= 2594 for at in order[:w + 1]) for w in where]
    check('bike/the_fall_of_coverage_is_found_within_400_labels', seen and 0 < seen[0] <= 400,
          f'after {seen[:1]} labels')
    check('bike/no_coverage_alert_before_the_fall', all(w >= fall for w in where), where)


def main():
    driftd, data = sys.argv[1:3]
    control(driftd, data)
    planted(driftd, data)
    coverage(driftd, data)
    return end()


if __name__ == '__main__':
    sys.exit(main())
