#!/usr/bin/env python3
"""`driftd reproduce`: an alert of a replay and one of a daemon, read again.

    check_reproduce.py DRIFTD

Intervals that fail from the middle of a made-up stream on give a coverage alert. Read again from its files, or
from the daemon's topics, it is the same to the last bit; with one record changed it is not. Known
incidents and rules of thumb beside it are compared with figures computed here. Ends with
`N passed, N failed`."""
import json
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from tally import check, end

CONFIG = """
database: driftd.db
kafka: {brokers: %s}
topics: {records: [inference.m], labels: []}
models: [{name: m, coverage: {calibration: 1000}, windows: {width: 1d}}]
"""


def records(n=6000):
    rng = random.Random(11)
    for i in range(n):
        inside = rng.random() < (0.9 if i < n // 2 else 0.6)
        yield json.dumps({'id': f'r{i}', 'ts': 1700000000000 + i * 60000, 'model': 'm', 'features': {'x': rng.gauss(0, 1)},
                          'prediction': {'value': 0.0, 'lower': -1.0, 'upper': 1.0, 'level': 0.9},
                          'label': 0.0 if inside else 2.0})


def reproduce(driftd, place, *arguments):
    p = subprocess.run([driftd, 'reproduce', *arguments], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=120)
    return p.returncode, p.stdout


def alert_of(path):
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT alert_id FROM alerts WHERE kind = 'coverage'").fetchall()
    connection.close()
    return rows[0][0] if rows else None


def replayed(driftd, place, lines):
    with open(os.path.join(place, 'replay.yaml'), 'w') as f:
        f.write(CONFIG % 'embedded')
    stream = os.path.join(place, 'stream.jsonl')
    with open(stream, 'w') as f:
        f.write('\n'.join(lines) + '\n')
    subprocess.run([driftd, 'replay', 'replay.yaml', 'stream.jsonl', '-o', 'replay.db', '--quiet'], cwd=place,
                   check=True, stdout=subprocess.DEVNULL)
    alert = alert_of(os.path.join(place, 'replay.db'))
    check('a_replay_has_an_alert', alert)
    status, text = reproduce(driftd, place, 'replay.yaml', 'replay.db', alert[:8], 'stream.jsonl')
    check('a_replay_is_reproduced_bit_for_bit', status == 0 and 'reproduced, bit for bit' in text and 'NOT' not in text,
          text if status else '')
    status, text = reproduce(driftd, place, 'replay.yaml', 'replay.db', alert, 'stream.jsonl', '--json')
    told = json.loads(text)
    check('so_as_json', status == 0 and told['reproduced'] and all(f['same'] for f in told['figures']) and
          told['alert'] == alert)
    carried = told['records']
    check('records_that_carried_it_are_misses_after_the_change', len(carried) == 10 and all(
        json.loads(lines[r['offset']])['label'] and r['factor'] > 1 and r['offset'] >= len(lines) // 2 - 500
        for r in carried) and [r['factor'] for r in carried] == sorted((r['factor'] for r in carried), reverse=True),
          carried[:2])
    connection = sqlite3.connect(os.path.join(place, 'replay.db'))
    at = connection.execute("SELECT offset FROM alerts WHERE kind = 'coverage'").fetchone()[0] - 3
    connection.close()
    row = json.loads(lines[at])
    row['label'] = 0.0 if row['label'] else 2.0
    with open(stream, 'w') as f:
        f.write('\n'.join(lines[:at] + [json.dumps(row)] + lines[at + 1:]) + '\n')
    status, text = reproduce(driftd, place, 'replay.yaml', 'replay.db', alert, 'stream.jsonl')
    check('one_changed_record_is_noticed', status == 1 and ('NOT' in text or 'did not open' in text), text[-200:])
    check('no_such_alert_is_told', reproduce(driftd, place, 'replay.yaml', 'replay.db', 'ffff', 'stream.jsonl')[0] == 64)


def incidents(driftd, place, lines):
    """Known incidents, and rules of thumb computed anew from the windows."""
    rows = [json.loads(line) for line in lines]
    for i, row in enumerate(rows):
        row['ts'] = 1700000000000 + i * 600000
    with open(os.path.join(place, 'slow.jsonl'), 'w') as f:
        f.write('\n'.join(map(json.dumps, rows)) + '\n')
    begin, end = rows[len(rows) // 2]['ts'], rows[-1]['ts']
    with open(os.path.join(place, 'known.csv'), 'w') as f:
        f.write(f'start,end,model,name\n{begin},{end},m,the change\n2023-11-20T00:00:00Z,2023-11-21T00:00:00Z,other,no\n')
    out = subprocess.run([driftd, 'replay', 'replay.yaml', 'slow.jsonl', '-o', 'known.db', '--quiet', '--json',
                          '--incidents', 'known.csv', '--compare', 'psi=0.05,ks=0.05'], cwd=place, check=True,
                         stdout=subprocess.PIPE, text=True).stdout.splitlines()
    told = json.loads(out[-1])
    verdicts = {(i['incident'], i['rule']): i for i in told['incidents']}
    db = sqlite3.connect(os.path.join(place, 'known.db'))
    opened = db.execute("SELECT opened_ms FROM alerts WHERE kind = 'coverage'").fetchone()[0]
    check('the_incident_is_found_with_its_delay', verdicts['the change', 'driftd']['verdict'] == 'found' and
          verdicts['the change', 'driftd']['delay_hours'] == round((opened - begin) / 3600000, 2))
    check('what_did_not_happen_is_missed', all(verdicts['no', r]['verdict'] == 'missed' for r in (
        'driftd', 'psi=0.05', 'ks=0.05')))
    alarms = {'psi=0.05': set(), 'ks=0.05': set()}
    for (stream,) in db.execute("SELECT stream_id FROM streams WHERE type = 'numeric'").fetchall():
        cells = [n for (n,) in db.execute('SELECT n FROM reference_cells WHERE stream_id = ? ORDER BY cell', (stream,))]
        before = {r: False for r in alarms}
        for window, width, psi, counts in db.execute(
                'SELECT s.window_ms, s.width_ms, s.psi, h.counts FROM statistics s LEFT JOIN histograms h USING(window_ms,'
                ' stream_id) WHERE s.stream_id = ? ORDER BY 1', (stream,)):
            over = {}
            if psi is not None:
                over['psi=0.05'] = psi >= 0.05
            if counts and cells and sum(json.loads(counts)):
                n = json.loads(counts)
                d = max(abs(sum(n[:k + 1]) / sum(n) - sum(cells[:k + 1]) / sum(cells)) for k in range(len(n)))
                over['ks=0.05'] = d >= math.sqrt(-math.log(0.025) / 2 * (sum(n) + sum(cells)) / sum(n) / sum(cells))
            for rule, now in over.items():
                if now and not before[rule]:
                    alarms[rule].add(window + width)
                before[rule] = now
    outside = {r['rule']: r['alerts_outside'] for r in told['rules']}
    expected = {r: len([a for a in at if not begin < a <= end]) for r, at in alarms.items()}
    check('rules_of_thumb_are_what_they_are', all(outside[r] == expected[r] for r in expected) and
          sum(map(len, alarms.values())) > 5 and outside['driftd'] == 0, f'{outside} {expected}')
    db.close()
    bad = subprocess.run([driftd, 'replay', 'replay.yaml', 'slow.jsonl', '-o', 'x.db', '--incidents', 'stream.jsonl'],
                         cwd=place, stderr=subprocess.PIPE, text=True)
    check('a_wrong_line_is_told_before_the_replay', bad.returncode == 78 and 'stream.jsonl:1: expected start,end' in
          bad.stderr and not os.path.exists(os.path.join(place, 'x.db')), bad.stderr)


def live(driftd, place, lines):
    with open(os.path.join(place, 'run.yaml'), 'w') as f:
        f.write(CONFIG % 'embedded')
    address = os.path.join(place, 'broker')
    daemon = subprocess.Popen([driftd, 'run', 'run.yaml', '--bootstrap-file', address], cwd=place,
                              stdout=subprocess.DEVNULL, stderr=open(os.path.join(place, 'log'), 'w'))
    try:
        until = time.monotonic() + 20
        while not os.path.exists(address) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.05)
        broker = open(address).read().strip()
        subprocess.run(['kcat', '-b', broker, '-P', '-t', 'inference.m'], input='\n'.join(lines), text=True, check=True)
        alert, until = None, time.monotonic() + 60
        while not alert and time.monotonic() < until:
            time.sleep(0.2)
            alert = alert_of(os.path.join(place, 'driftd.db'))
        check('a_daemon_has_an_alert', alert)
        with open(os.path.join(place, 'again.yaml'), 'w') as f:
            f.write(CONFIG % broker)
        status, text = reproduce(driftd, place, 'again.yaml', 'driftd.db', alert)
        check('an_alert_of_a_topic_is_reproduced_beside_the_daemon', status == 0, text if status else '')
    finally:
        daemon.send_signal(signal.SIGTERM)
        check('the_daemon_stops', daemon.wait(30) == 0)


def main():
    driftd = os.path.abspath(sys.argv[1])
    lines = list(records())
    with tempfile.TemporaryDirectory() as place:
        os.environ['TMPDIR'] = place
        replayed(driftd, place, lines)
        incidents(driftd, place, lines)
        live(driftd, place, lines)
        check('nothing_is_left_behind', not [n for n in os.listdir(place) if n.startswith('driftd-reproduce')])
    return end()


if __name__ == '__main__':
    sys.exit(main())
