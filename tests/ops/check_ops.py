#!/usr/bin/env python3
"""Debian's Prometheus and Alertmanager around a running daemon, both restarted in the middle.

    check_ops.py BIN

BIN holds driftd and demo_producer. Two years of bicycle rentals are played; Prometheus scrapes the daemon,
Alertmanager receives, groups and resolves the coverage alert. Ends with `N passed, N failed`."""
import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'tools'))
from tally import any_failed, check, end, wait  # noqa: E402

CONFIG = """
database: {place}/driftd.db
kafka: {{brokers: embedded}}
topics: {{records: [inference.bike], labels: [labels.bike]}}
windows: {{width: 1d}}
http: {{listen: "127.0.0.1:0"}}
alerts: {{sinks: [{{alertmanager: {{url: "http://127.0.0.1:{port}", resend: 1s}}}}]}}
models:
  - name: bike
    reference: {{file: {root}/tests/data/bike/reference.jsonl.gz}}
    coverage: {{calibration: 1729}}
"""
ALERTMANAGER = """
route: {{receiver: hook, group_by: [model, kind], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{port}/", send_resolved: true}}]}}]
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{root}/config/driftd.rules.yaml]
scrape_configs: [{{job_name: driftd, static_configs: [{{targets: ["{target}"]}}]}}]
"""


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


class Program:
    """Something that is started, ended and started again."""

    def __init__(self, place, name, command):
        self.command, self.log = command, open(os.path.join(place, name + '.log'), 'ab')
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)


def receiver(notifications):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            notifications.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            self.send_response(200)
            self.send_header('Content-Length', '0')
            self.end_headers()

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    server = Server(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class World:
    def __init__(self, binaries, place):
        self.place, self.binaries, self.notifications, self.programs = place, binaries, [], []
        self.episodes = []
        self.hook = receiver(self.notifications)
        self.am_port, self.prometheus_port = free_port(), free_port()
        self.write('am.yaml', ALERTMANAGER.format(port=self.hook.server_address[1]))
        self.write('driftd.yaml', CONFIG.format(place=place, port=self.am_port, root=ROOT))
        self.am = self.run('am', 'prometheus-alertmanager', f'--config.file={place}/am.yaml',
                           f'--storage.path={place}/am', f'--web.listen-address=127.0.0.1:{self.am_port}',
                           '--cluster.listen-address=')
        self.daemon = subprocess.Popen([f'{binaries}/driftd', 'run', f'{place}/driftd.yaml'], text=True,
                                       stdout=subprocess.PIPE, stderr=open(f'{place}/driftd.log', 'w'))
        self.broker = self.daemon.stdout.readline().strip().split('=')[1]
        self.target = self.daemon.stdout.readline().strip().split('=')[1]
        self.write('prometheus.yaml', PROMETHEUS.format(root=ROOT, target=self.target))
        self.prometheus = self.run('prometheus', 'prometheus', f'--config.file={place}/prometheus.yaml',
                                   f'--storage.tsdb.path={place}/tsdb',
                                   f'--web.listen-address=127.0.0.1:{self.prometheus_port}')

    def write(self, name, text):
        with open(os.path.join(self.place, name), 'w') as f:
            f.write(text)

    def run(self, name, *command):
        self.programs.append(Program(self.place, name, command))
        return self.programs[-1]

    def play(self):
        data = f'{ROOT}/tests/data/bike'
        subprocess.run([f'{self.binaries}/demo_producer', self.broker, f'{self.place}/driftd.db', '100',
                        f'{data}/stream.jsonl.gz', 'inference.bike', f'{data}/labels.jsonl.gz', 'labels.bike'],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)

    def ask(self, expression):
        url = f'http://127.0.0.1:{self.prometheus_port}/api/v1/query?query=' + urllib.parse.quote(expression)
        return [float(r['value'][1]) for r in get(url)['data']['result']]

    def sql(self, text):
        connection = sqlite3.connect(f'{self.place}/driftd.db', timeout=20)
        rows = connection.execute(text).fetchall()
        connection.close()
        return rows

    def coverage_alerts(self):
        """Those of the episodes that the loss of coverage belongs to; each is told by its first alert."""
        return [a for a in get(f'http://127.0.0.1:{self.am_port}/api/v2/alerts')
                if a['annotations']['episode'] in self.episodes and a['status']['state'] == 'active']

    def told(self, status, since=0):
        return [n for n in self.notifications[since:] for a in n['alerts']
                if a['status'] == status and a['annotations']['episode'] in self.episodes]

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(30)
        for p in self.programs:
            p.end()
        self.hook.shutdown()
        return status


def scenario(w):
    w.play()
    check('prometheus_scrapes_the_daemon', wait(30, lambda: w.ask('up{job="driftd"}') == [1.0]))
    ratio = w.sql("SELECT coverage FROM coverage_now WHERE model = 'bike' AND segment = ''")[0][0]
    check('coverage_is_that_of_the_database', wait(20, lambda: w.ask(
        'driftd_coverage_ratio{model="bike",segment=""}') == [ratio]), ratio)
    w.episodes = [row[0] for row in w.sql("SELECT episode_id FROM alerts WHERE kind = 'coverage'")]
    alert = wait(30, w.coverage_alerts)
    check('alertmanager_has_the_coverage_alert', alert and alert[0]['labels']['model'] == 'bike')
    told = wait(30, lambda: w.told('firing'))
    check('its_receiver_is_told_by_group', told and told[0]['groupLabels']['model'] == 'bike')
    w.am.end(signal.SIGKILL)
    w.prometheus.end(signal.SIGKILL)
    shutil.rmtree(f'{w.place}/am', ignore_errors=True)  # it remembers nothing
    before = len(w.notifications)
    w.am.start()
    w.prometheus.start()
    again = wait(30, w.coverage_alerts)
    check('after_its_restart_alertmanager_has_it_again', again and again[0]['startsAt'] == alert[0]['startsAt'])
    check('and_tells_again', wait(30, lambda: w.told('firing', before)))
    check('after_its_restart_prometheus_scrapes_again', wait(60, lambda: w.ask('up{job="driftd"}') == [1.0]))
    # an episode is over with the last of its alerts
    open_alerts = w.sql("SELECT alert_id FROM alerts WHERE state <> 'resolved' AND episode_id IN"
                        " (SELECT episode_id FROM alerts WHERE kind = 'coverage' AND state <> 'resolved')")
    for (identity,) in open_alerts:
        subprocess.run([f'{w.binaries}/driftd', 'resolve', f'{w.place}/driftd.db', identity, '--verdict', 'true',
                        '--wait'], check=True, stdout=subprocess.DEVNULL)
    check('resolved_by_command_it_is_resolved_there', wait(30, lambda: not w.coverage_alerts()), len(open_alerts))
    counted = w.sql("SELECT count(*) FROM alerts WHERE verdict = 'true' AND promise = 'certified'")
    check('the_verdict_is_counted', counted[0][0] > 0 and w.sql('SELECT judged_true FROM budget') == counted,
          (w.sql('SELECT judged_true FROM budget'), counted))
    check('and_the_receiver_is_told', wait(30, lambda: w.told('resolved')))
    check('no_rule_about_driftd_fires', not [a for a in get(
        f'http://127.0.0.1:{w.prometheus_port}/api/v1/alerts')['data']['alerts'] if a['state'] == 'firing'])


def packaging(binaries, place):
    unit = f'{place}/driftd.service'
    with open(f'{ROOT}/config/driftd.service') as f, open(unit, 'w') as out:
        out.write(f.read().replace('@bindir@', binaries))
    text = subprocess.run(['systemd-analyze', 'security', '--offline=true', unit], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT).stdout
    level = float(text.rsplit('level for driftd.service:', 1)[1].split()[0])
    check('the_unit_is_exposed_at_most_1.5', level <= 1.5, level)
    subprocess.run(['sh', f'{ROOT}/docs/manual.sh', f'{binaries}/driftd', f'{place}/man'], check=True)
    text = subprocess.run(['mandoc', '-Tlint', '-Wwarning'] + [f'{place}/man/{p}' for p in os.listdir(f'{place}/man')],
                          stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT).stdout
    check('the_manual_pages_are_clean', not text, text[:400])


def main():
    binaries = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        packaging(binaries, place)
        w = World(binaries, place)
        try:
            scenario(w)
        finally:
            check('the_daemon_stops', w.stop() == 0)
            if any_failed():
                for name in ('driftd.log', 'am.log', 'prometheus.log'):
                    print(f'-- {name}\n' + open(f'{place}/{name}', errors='replace').read()[-1500:])
    return end()


if __name__ == '__main__':
    sys.exit(main())
