#!/usr/bin/env python3
"""What a machine does to a daemon: locks on the database, a file at its limit, storms of signals, a log that
nobody reads. It waits, goes on by itself, and stops when it is told to.

    check_faults.py BIN

BIN holds driftd and mock_broker. Ends with `N passed, N failed`."""
import fcntl
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from tally import check, end, wait

CONFIG = 'database: driftd.db\nkafka: {brokers: "%s"}\ntopics: {records: [t]}\nmodels: [{name: m}]\n'


def line(i):
    return json.dumps({'id': f'r{i}', 'ts': 1700000000000 + i * 1000, 'model': 'm',
                       'features': {'x': i % 17, 'c': 'ab'[i % 2]},
                       'prediction': {'value': i, 'lower': i - 1, 'upper': i + 1, 'level': .9}})


class World:
    def __init__(self, binaries, place):
        self.driftd, self.place = os.path.join(binaries, 'driftd'), place
        self.produced, self.process = 0, None
        self.broker = subprocess.Popen([os.path.join(binaries, 'mock_broker'), '0', 't', '1'], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = self.broker.stdout.readline().strip()
        with open(os.path.join(place, 'driftd.yaml'), 'w') as f:
            f.write(CONFIG % self.address)
        self.log_path = os.path.join(place, 'log')

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.broker.stdin.close()
        self.broker.wait(20)

    def start(self, stderr=None, **arguments):
        with open(self.log_path, 'a') as log:
            self.process = subprocess.Popen([self.driftd, 'run', 'driftd.yaml'], cwd=self.place,
                                            stdout=stderr or log, stderr=stderr or log, **arguments)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def says(self, text, times=1, seconds=60):
        return wait(seconds, lambda: self.log().count(text) >= times or self.process.poll() is not None) and \
            self.process.poll() is None

    def send(self, n, text=None):
        lines = text or [line(self.produced + i) for i in range(n)]
        subprocess.run(['kcat', '-q', '-P', '-b', self.address, '-t', 't'], input='\n'.join(lines) + '\n',
                       text=True, check=True)
        self.produced += n

    def read(self):
        """Everything that was produced is in the database."""
        return wait(60, lambda: self.offset() == self.produced)

    def offset(self):
        db = None
        try:
            db = self.connect('ro')
            return db.execute('SELECT sum(next_offset) FROM offsets').fetchone()[0]
        except sqlite3.Error:
            return None  # not there yet
        finally:
            if db:
                db.close()

    def connect(self, mode='rw'):
        return sqlite3.connect(f'file:{self.place}/driftd.db?mode={mode}', uri=True, isolation_level=None)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            return 'timeout'


def locks(w):
    w.start()
    w.send(500)
    check('it_reads', w.read(), w.log())
    other = w.connect()
    other.execute('BEGIN IMMEDIATE')
    w.send(100)
    check('a_lock_is_waited_for', w.says('database_busy'), w.log())
    w.process.send_signal(signal.SIGHUP)
    check('a_reload_meanwhile_too', w.says('event=reload'), w.log())
    other.execute('ROLLBACK')
    check('then_it_reads_on', w.read(), w.log())
    check('the_reload_happens', w.says('event=start', 2), w.log())
    other.execute('BEGIN IMMEDIATE')
    w.send(100)
    check('a_second_lock_is_waited_for', w.says('trying again', w.log().count('trying again') + 1), w.log())
    check('an_end_does_not_wait', w.stop() == 0, w.log())
    check('it_says_what_that_means', 'read again' in w.log(), w.log())
    w.start()
    check('a_lock_at_the_start_is_waited_for', w.says('level=warn event=start'), w.log())
    other.execute('ROLLBACK')
    other.close()
    check('then_it_starts', w.read(), w.log())


def signals(w):
    times = w.log().count('event=start msg="database')
    until = time.monotonic() + 60
    while w.log().count('event=start msg="database') < times + 5 and time.monotonic() < until:
        w.process.send_signal(signal.SIGHUP)
        if w.process.poll() is not None:
            break
    w.send(100)
    check('reloads_in_a_storm_end_nothing', w.read() and w.process.poll() is None, w.log()[-2000:])
    w.process.send_signal(signal.SIGHUP)
    status = w.stop()  # may come at any instant of the reload
    check('an_end_during_a_reload_is_clean', status == 0, (status, w.log()[-2000:]))


def changes(w):
    w.start()
    check('it_starts_again', w.says('event=start', w.log().count('event=start') + 1), w.log()[-2000:])
    with open(os.path.join(w.place, 'driftd.yaml'), 'a') as f:
        f.write('seed: 77\n')
    w.process.send_signal(signal.SIGHUP)
    w.send(100)
    check('a_changed_test_starts_again', w.read() and 'event=state_reset' in w.log(), w.log()[-2000:])
    check('it_stops_at_the_end', w.stop() == 0)
    db = w.connect('ro')
    notes = db.execute("SELECT count(*) FROM runs WHERE event = 'state_reset'").fetchone()[0]
    check('and_the_database_says_so', notes == w.log().count('event=state_reset') > 0,
          (notes, db.execute('SELECT * FROM runs').fetchall()[-5:]))
    db.close()


def limits(w):
    size = os.path.getsize(os.path.join(w.place, 'driftd.db')) + 65536
    w.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    w.send(5000)
    status = w.process.wait(60)
    check('a_file_at_its_limit_is_an_error_that_is_told', status == 74 and 'event=exit' in w.log(),
          (status, w.log()[-2000:]))
    w.start()
    check('nothing_is_lost_with_it', w.read(), w.log()[-2000:])
    check('it_stops', w.stop() == 0)


def silence(w):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, b'x' * 4096)
    except BlockingIOError:
        pass
    fcntl.fcntl(writer, fcntl.F_SETFL, 0)
    w.start(writer)
    w.send(1000, ['not JSON'] * 1000)
    w.send(100)
    check('a_log_that_nobody_reads_stops_nothing', w.read())
    check('not_even_the_end', w.stop() == 0)
    os.close(reader)
    w.start(writer)
    os.close(writer)
    w.send(100)
    check('nor_does_one_that_is_closed', w.read())
    check('it_stops_then', w.stop() == 0)


def main():
    with tempfile.TemporaryDirectory() as place:
        w = World(os.path.abspath(sys.argv[1]), place)
        try:
            for part in (locks, signals, changes, limits, silence):
                part(w)
            db = w.connect('ro')
            check('the_database_is_sound', db.execute('PRAGMA integrity_check').fetchone()[0] == 'ok')
            n = w.produced - 1000
            got = db.execute("SELECT n FROM counters WHERE name = 'predictions'").fetchone()[0]
            check('every_record_counts_once', got == n, (got, n))
            db.close()
        finally:
            w.close()
    return end()


if __name__ == '__main__':
    sys.exit(main())
