#!/usr/bin/env python3
"""kill.py -- "after kill -9 at any instant the final database equals that of an undisturbed run".

    tests/kill/kill.py BIN [--kills N] [--seed N] [--partitions 1,4] [--broken BIN] [--mock]

BIN holds driftd and kafka_admin (or mock_broker). A real broker (tests/kafka/broker.sh) or a mock serves the same
messages to an
undisturbed run and to one that is killed N times; then the dumps of both databases are compared as text,
all tables but runs, outbox, deliveries and commands. Moments of the kills, drawn from the seed:

    start    between exec and the first commit of that start
    after    some time after the first commit (most of them: this is where records are read)
    write    when the WAL is first written by a commit
    commit   when a commit has just become visible

Reported: kills by moment, by time since the first commit, and how many left a torn transaction in the WAL.
An exit of the daemon with anything but 0 (it reached the end) or our own kill is a failure. --broken names a
build that commits offsets apart (make MODE=broken): it must be noticed within 30 kills.
"""
import argparse
import difflib
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import world  # noqa: E402

NOT_COMPARED = {"runs", "outbox", "deliveries", "commands", "sqlite_sequence"}
ROWS, ROWS_MOCK = 6000, 2500  # of the smaller set
BROKEN_KILLS = 30
MOCK_DELAY = "40"

# Reading is slowed by librdkafka's own means: small answers, each as late as the broker may give it.
SLOW = """
    fetch.min.bytes: 10000000
    fetch.message.max.bytes: 1000
    fetch.wait.max.ms: 60
"""
CONFIG = """
database: driftd.db
kafka:
  brokers: {brokers}
  group: {group}
  properties:
    broker.address.family: v4{slow}
topics: {{records: [{topic}.p], labels: [{topic}.l]}}
id_hash_key: 000102030405060708090a0b0c0d0e0f
alerts: {{budget: 5 per day, send: all}}
windows: {{width: 3h}}
retention: {{window: 20d, hour: 60d}}
merge_stall: 1h
defaults:
  min_effect: 0.05
  reference: {{from: first, records: 500, span: 30d}}
  labels: {{wait: 20d}}
models:
  - name: bike
  - name: elec
    classes: [DOWN, UP]
    windows: {{records: 150}}
    labels: {{wait: 20d, lateness: 5d, capacity: 4096, revision: last}}
"""


# What a replay of the same messages must give too. Alert ids hash the place of a record, so texts are
# compared without their last word (the id) and episodes by the alert that is named for them, unless that is
# another model's: models share an episode when they share a topic, and each file is a topic of its own.
SAME_IN_REPLAY = tuple((table, "SELECT * FROM %s ORDER BY %s" % (table, order)) for table, order in (
    ("models", "1"), ("streams", "1"), ("detectors", "1"), ("refs", "1"), ("statistics", "1, 2"),
    ("histograms", "1, 2"), ("label_statistics", "1, 2, 3"), ("label_recent", "1"), ("counters", "1, 2"))) + (
    ("alerts", "SELECT a.stream_id, a.kind, a.severity, a.promise, a.method, a.state, a.resolved_by, a.opened_ms,"
     " a.started_ms, a.updated_ms, a.resolved_ms, a.statistic, a.effect, a.effect_low, a.effect_high, a.old_value,"
     " a.new_value, a.promise_words, a.dependence, a.explanation, a.harm,"
     " iif(x.model_id = y.model_id, e.stream_id, a.stream_id), iif(x.model_id = y.model_id, e.opened_ms, a.opened_ms),"
     " rtrim(a.text, '0123456789abcdef') FROM alerts a JOIN alerts e ON e.alert_id = a.episode_id"
     " JOIN streams x ON x.stream_id = a.stream_id JOIN streams y ON y.stream_id = e.stream_id"
     " ORDER BY a.opened_ms, a.stream_id, a.started_ms"),
    ("alert_events", "SELECT a.stream_id, a.opened_ms, v.sequence, v.event, v.at_ms, v.statistic, v.effect,"
     " rtrim(v.text, '0123456789abcdef') FROM alert_events v JOIN alerts a USING(alert_id)"
     " ORDER BY a.opened_ms, a.stream_id, a.started_ms, v.sequence"),
    ("rejected rows", "SELECT number, reason, detail, sample FROM rejected ORDER BY number"))


class Failure(Exception):
    pass


def say(text):
    print(text, flush=True)


class Broker:
    def __init__(self, binaries, place):
        self.script = os.path.join(ROOT, "tests", "kafka", "broker.sh")
        self.admin = os.path.join(binaries, "kafka_admin")
        self.place = place
        self.address = subprocess.run([self.script, "start", place], check=True, text=True,
                                      stdout=subprocess.PIPE).stdout.split()[-1]

    def stop(self):
        subprocess.run([self.script, "kill", self.place], check=False)

    def begin(self, topics):
        pass

    def create(self, name, partitions):
        subprocess.run([self.admin, self.address, "create", name, str(partitions)], check=True,
                       stderr=subprocess.DEVNULL)


class MockBroker:
    """librdkafka's own, in a process beside the daemon: no Java, but no more than 5 MiB a partition."""

    def __init__(self, binaries, place):
        self.program, self.process, self.address = os.path.join(binaries, "mock_broker"), None, None

    def begin(self, topics):
        self.stop()
        self.process = subprocess.Popen([self.program, MOCK_DELAY, *topics], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def create(self, name, partitions):
        pass


class Daemon:
    """One start of driftd in its own directory."""

    running = []

    def __init__(self, binaries, place, slow):
        self.place = place
        self.started = time.monotonic()
        self.log = open(os.path.join(place, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(binaries, "driftd"), "run", "slow.yaml" if slow else "fast.yaml",
             "--until-end"], cwd=place, stdout=self.log, stderr=self.log)
        Daemon.running = [self]  # one at a time

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        status = self.process.wait()
        self.log.close()
        return status

    def wait(self, seconds):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("no end after %d s\n%s" % (seconds, self.tail()))
        self.log.close()
        if status != 0:
            raise Failure("exit status %d\n%s" % (status, self.tail()))

    def tail(self):
        try:
            with open(os.path.join(self.place, "log"), errors="replace") as f:
                return "".join(f.readlines()[-15:])
        except OSError as error:
            return str(error)


class Watch:
    """Commits as they appear in the index of the WAL, read without touching SQLite's locks."""

    def __init__(self, place):
        self.shm = os.path.join(place, "driftd.db-shm")
        self.wal = os.path.join(place, "driftd.db-wal")
        self.database = os.path.join(place, "driftd.db")

    def commit(self):
        try:
            with open(self.shm, "rb", buffering=0) as f:
                header = f.read(48)
        except OSError:
            return None
        return header if len(header) == 48 else None

    def written(self):
        try:
            return os.stat(self.wal).st_mtime_ns
        except OSError:
            return None

    def sequence(self):
        """How many records the database knows of; only while the daemon has it open."""
        try:
            db = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True, timeout=5)
            try:
                row = db.execute("SELECT value FROM meta WHERE key = 'sequence'").fetchone()
            finally:
                db.close()
        except sqlite3.Error:
            return None
        return int(row[0]) if row else 0


def torn(place):
    """Frames of a transaction that the kill cut, at the end of the WAL."""
    try:
        with open(os.path.join(place, "driftd.db-wal"), "rb") as f:
            data = f.read()
    except OSError:
        return 0
    if len(data) < 32:
        return 0
    page, salts = struct.unpack(">I", data[8:12])[0], data[16:24]
    at, open_frames = 32, 0
    while at + 24 + page <= len(data) and data[at + 8:at + 16] == salts:
        open_frames = 0 if struct.unpack(">I", data[at + 4:at + 8])[0] else open_frames + 1
        at += 24 + page
    return open_frames


def dump(place):
    path = os.path.join(place, "driftd.db")
    tables = subprocess.run(["sqlite3", path, "SELECT name FROM sqlite_master WHERE type = 'table'"
                             " ORDER BY name"], check=True, text=True, stdout=subprocess.PIPE)
    kept = [t for t in tables.stdout.split() if t not in NOT_COMPARED]
    script = "PRAGMA integrity_check;\n" + "".join(".dump %s\n" % t for t in kept)
    out = subprocess.run(["sqlite3", path], input=script, check=True, text=True, stdout=subprocess.PIPE)
    return out.stdout.splitlines()


def differences(expected, got):
    """What differs, by table, and the first rows of each."""
    lines = [line for line in difflib.unified_diff(expected, got, "undisturbed", "killed", n=0, lineterm="")
             if line[1:].startswith("INSERT INTO ")]
    tables = {}
    for line in lines:
        tables.setdefault(line.split()[2], []).append(line)
    out = ["%d rows differ (-undisturbed +killed)" % len(lines)]
    for table, rows in tables.items():
        out.append("    %s: %d rows" % (table, len(rows)))
        out += ["        " + row[:1] + row[1:].partition(" VALUES")[2][:240] for row in rows[:6]]
    return "\n".join(out)


def query(place, sql):
    return subprocess.run(["sqlite3", os.path.join(place, "driftd.db"), sql], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


class Trial:
    """One setting: topics of so many partitions, the undisturbed run, then kills."""

    def __init__(self, args, broker, place, partitions, rng):
        self.args, self.broker, self.partitions, self.rng = args, broker, partitions, rng
        self.place = os.path.join(place, "p%d" % partitions)
        self.topic = "kill%d" % partitions
        self.forget()
        os.makedirs(self.place)
        self.messages = world.build(os.path.join(ROOT, "tests", "data"), args.seed, args.rows)
        self.records = sum(len(m) for m in self.messages)
        names = [self.topic + ".p", self.topic + ".l"]
        self.broker.begin([word for name in names for word in (name, str(partitions))])
        for name, messages in zip(names, self.messages):
            self.broker.create(name, partitions)
            for number, lines in enumerate(world.parts(messages, partitions)):
                self.produce(name, number, lines)

    def produce(self, topic, partition, lines):
        """In small batches, which are the least that a fetch gives."""
        subprocess.run(["kcat", "-q", "-P", "-b", self.broker.address, "-t", topic, "-p", str(partition),
                        "-X", "batch.num.messages=50", "-X", "linger.ms=20"],
                       input="".join(line + "\n" for line in lines).encode(), check=True)

    def directory(self, name):
        path = os.path.join(self.place, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        for config, slow in (("slow.yaml", SLOW.rstrip()), ("fast.yaml", "")):
            with open(os.path.join(path, config), "w") as f:
                f.write(CONFIG.format(brokers=self.broker.address, group=self.topic, topic=self.topic,
                                      slow=slow))
        return path

    def forget(self):
        """Counts begin again, the data and what is expected of them stay."""
        self.moments, self.phases, self.torn, self.kills, self.rounds = {}, {}, 0, 0, 0

    def undisturbed(self):
        place = self.directory("undisturbed")
        Daemon(self.args.binaries, place, False).wait(120)
        self.expected = dump(place)
        facts = [int(query(place, sql)) for sql in (
            "SELECT count(*) FROM alerts", "SELECT ifnull(sum(n), 0) FROM counters WHERE name ="
            " 'matched_ids'", "SELECT count(*) FROM rejected", "SELECT count(*) FROM statistics",
            "SELECT count(*) FROM label_statistics", "SELECT count(*) FROM alert_events")]
        say("  %d partitions, %d messages: %d alerts (%d events), %d joined labels, %d rejected rows, "
            "%d rows of statistics, %d of labels" % (self.partitions, self.records, facts[0], facts[5],
                                                     facts[1], facts[2], facts[3], facts[4]))
        if not all(facts):
            raise Failure("the data do not show all of it")

    def replayed(self):
        """The same messages as files: the same figures, but for topic, partition, offset and alert ids."""
        place = self.directory("replayed")
        files = []
        for topic, messages in ((self.topic + ".l", self.messages[1]), (self.topic + ".p", self.messages[0])):
            for number, lines in enumerate(world.parts(messages, self.partitions)):
                files.append("%s.%d" % (topic, number))
                with open(os.path.join(place, files[-1]), "w") as f:
                    f.writelines(line + "\n" for line in lines)
        subprocess.run([os.path.join(self.args.binaries, "driftd"), "replay", "fast.yaml", "--quiet", "-o", "driftd.db",
                        *files], cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        differ = []
        for what, sql in SAME_IN_REPLAY:
            kafka, own = (query(os.path.join(self.place, name), sql).splitlines()
                          for name in ("undisturbed", "replayed"))
            if kafka != own:
                lines = list(difflib.unified_diff(kafka, own, "kafka", "replay", n=0, lineterm=""))
                differ.append("    %s: %d lines\n%s" % (
                    what, len(lines), "\n".join("        " + line[:240] for line in lines[2:10])))
        if differ:
            raise Failure("a replay differs\n" + "\n".join(differ))

    def await_first_commit(self, daemon, watch):
        """True at the first commit of this start that holds records; False when the daemon has ended."""
        first, before = None, watch.commit()
        while not daemon.ended():
            seen = watch.commit()
            if seen and seen != before:
                before = seen
                at = watch.sequence()
                if first is None:
                    first = at
                elif at is not None and at != first:
                    return True
            time.sleep(0.001)
        return False

    def await_change(self, daemon, look, seconds):
        before, until = look(), time.monotonic() + seconds
        while time.monotonic() < until and look() == before and not daemon.ended():
            pass

    def one_start(self, binaries, place):
        """Starts and kills once; False: the daemon reached the end before the kill."""
        rng = self.rng
        moment = rng.choices(("start", "after", "write", "commit"), (1, 6, 2, 2))[0]
        daemon, watch = Daemon(binaries, place, True), Watch(place)
        since = None
        if moment == "start":
            time.sleep(rng.uniform(0, 1.0))
        elif self.await_first_commit(daemon, watch):
            begin = time.monotonic()
            if moment == "after":
                time.sleep(rng.uniform(0, 2.2))
            else:
                time.sleep(rng.uniform(0, 0.9))
                self.await_change(daemon, watch.written if moment == "write" else watch.commit, 3)
                pause = time.monotonic() + rng.uniform(0, 0.003 if moment == "write" else 0.0005)
                while time.monotonic() < pause:
                    pass
            since = time.monotonic() - begin
        if daemon.ended():
            daemon.wait(1)
            return False
        status = daemon.kill()
        if status == 0:
            return False
        if status != -signal.SIGKILL:
            raise Failure("exit status %d\n%s" % (status, daemon.tail()))
        self.kills += 1
        self.moments[moment] = self.moments.get(moment, 0) + 1
        phase = "before" if since is None else "%.1f-%.1f s" % (int(since * 2) / 2, int(since * 2) / 2 + .5)
        self.phases[phase] = self.phases.get(phase, 0) + 1
        self.torn += torn(place) > 0
        return True

    def compare(self, place):
        self.rounds += 1
        got = dump(place)
        if got != self.expected:
            raise Failure("the databases differ after %d kills: %s" % (
                self.kills, differences(self.expected, got)))

    def run(self, binaries, kills):
        place = self.directory("killed")
        while self.kills < kills:
            if not self.one_start(binaries, place):  # the topics were read to their end: once more from nothing
                self.compare(place)
                place = self.directory("killed")
        Daemon(binaries, place, False).wait(120)
        self.compare(place)

    def report(self):
        def counts(d):
            return ", ".join("%s %d" % (k, d[k]) for k in sorted(d))
        say("  %d kills in %d runs to the end; moments: %s; since the first commit: %s; %d torn "
            "transactions" % (self.kills, self.rounds, counts(self.moments), counts(self.phases), self.torn))


class Tally:
    """What was promised, and whether it held."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, act, expected=True):
        """act() raises Failure where the promise is broken; for the broken build that is what is expected."""
        begin = time.monotonic()
        try:
            act()
            held, why = True, ""
        except (Failure, subprocess.CalledProcessError) as e:
            held, why = False, ": %s" % e
        ok = held == expected
        self.passed, self.failed = self.passed + ok, self.failed + (not ok)
        say("%s %s, %.0f s%s" % ("ok  " if ok else "FAIL", name, time.monotonic() - begin, why))
        return held


def trials(args, broker, place, tally):
    settings = [int(n) for n in args.partitions.split(",")]
    trial = None
    for i, partitions in enumerate(settings):
        rng = random.Random(args.seed * 1000 + partitions)
        trial = Trial(args, broker, place, partitions, rng)
        words = "with_%d_partition%s" % (partitions, "s" if partitions > 1 else "")
        if not tally.check("the_data_show_everything_" + words, trial.undisturbed):
            continue
        tally.check("a_replay_gives_the_same_" + words, trial.replayed)
        kills = args.kills // len(settings) + (i < args.kills % len(settings))
        tally.check("equal_after_kills_" + words, lambda t=trial, n=kills: t.run(args.binaries, n))
        trial.report()
    if args.broken and trial:
        trial.forget()
        tally.check("offsets_committed_apart_are_noticed", lambda: trial.run(args.broken, BROKEN_KILLS), False)
        trial.report()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binaries")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--partitions", default="1,4")
    parser.add_argument("--broken", metavar="BIN", help="a build that the test must notice")
    parser.add_argument("--mock", action="store_true", help="librdkafka's mock broker, without Java")
    parser.add_argument("--keep", action="store_true", help="leave the databases for a look")
    args = parser.parse_args()
    args.binaries = os.path.abspath(args.binaries)
    args.broken = args.broken and os.path.abspath(args.broken)
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 31)
    say("seed %d" % args.seed)
    place, broker, tally = tempfile.mkdtemp(prefix="driftd-kill-"), None, Tally()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        args.rows = ROWS_MOCK if args.mock else ROWS
        broker = (MockBroker if args.mock else Broker)(args.binaries, os.path.join(place, "broker"))
        trials(args, broker, place, tally)
    finally:
        for daemon in Daemon.running:
            daemon.process.kill()
        if broker:
            broker.stop()
        if args.keep:
            say("kept: " + place)
        else:
            shutil.rmtree(place, ignore_errors=True)
    say("%d passed, %d failed" % (tally.passed, tally.failed))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
