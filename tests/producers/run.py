#!/usr/bin/env python3
"""The producers of this folder against the daemon: each fits its model, sends records and labels to a broker with
confluent-kafka, and finds them in the database.

    run.py BIN VENV OUT [NAME...]      BIN holds driftd and mock_broker; VENV: python with the libraries; OUT: a folder

Prints "N passed, N failed".
"""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))
from tally import check, end, wait  # noqa: E402

PRODUCERS = {  # kinds that its streams are of
    "pymc_regression": {"epistemic", "aleatoric", "total", "discrepancy", "structural", "conformal", "distributional"},
    "tfp_classifier": {"epistemic", "aleatoric", "total", "discrepancy", "structural", "distributional"},
    "mapie_intervals": {"discrepancy", "structural", "conformal", "distributional"},
    "conformalpy_intervals": {"discrepancy", "structural", "conformal", "distributional"},
    "sklearn_bagging": {"epistemic", "aleatoric", "total", "discrepancy", "structural"},
}
HARMLESS = {"late", "waiting", "done", "uncertainty_clipped"}

def query(path, sql, *arguments):
    if not os.path.exists(path):
        return []
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql, arguments).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()


def joined(path):
    return sum(n for n, in query(path, "SELECT n FROM counters WHERE name = 'matched_ids'"))


def look(path, name, told):
    model = told["model"]
    counts = dict(query(path, "SELECT c.name, c.n FROM counters c JOIN models m USING (model_id) WHERE m.name = ?", model))
    check(f"{name}/every_prediction_arrives", counts.get("predictions") == told["records"], counts)
    check(f"{name}/every_label_finds_its_prediction", counts.get("matched_ids") == told["labels"], counts)
    wrong = {k: n for k, n in counts.items() if n and k.split("_")[0] in (
        "uncertainty", "fields", "prob", "class", "label", "forecast", "duplicate") and k not in HARMLESS | {
        "label_lines"}}
    check(f"{name}/nothing_of_it_is_left_out", not wrong, wrong)
    kinds = {k for k, in query(path, "SELECT DISTINCT kind FROM uncertainty_now WHERE model = ?", model)}
    check(f"{name}/its_kinds_of_uncertainty_are_watched", kinds == PRODUCERS[name], kinds)


def main():
    binary, venv, out = map(os.path.abspath, sys.argv[1:4])  # each producer runs in its folder
    names = sys.argv[4:] or list(PRODUCERS)
    os.makedirs(out, exist_ok=True)
    database, config = os.path.join(out, "producers.db"), os.path.join(out, "producers.yaml")
    for suffix in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(database + suffix):
            os.remove(database + suffix)
    broker = subprocess.Popen([os.path.join(binary, "mock_broker"), "0", "producers.records", "1",
                               "producers.labels", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    address = broker.stdout.readline().strip()
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"database: {database}\nkafka: {{brokers: \"{address}\"}}\nmodels: auto\n"
                "topics: {records: [producers.records], labels: [producers.labels]}\n")
    log = open(os.path.join(out, "driftd.log"), "w", encoding="utf-8")
    daemon = subprocess.Popen([os.path.join(binary, "driftd"), "run", config], stdout=log, stderr=log)
    try:
        tells, labels = {}, 0
        for name in names:
            run = subprocess.run([os.path.join(venv, "bin", "python"), os.path.join(HERE, f"{name}.py"), address],
                                 capture_output=True, text=True, timeout=600, cwd=HERE)
            check(f"{name}/sends", run.returncode == 0, run.stderr[-400:])
            if run.returncode == 0:
                tells[name] = json.loads(run.stdout.splitlines()[-1])
                labels += tells[name]["labels"]
        check("all_labels_are_joined", wait(60, lambda: joined(database) >= labels), joined(database))
        daemon.send_signal(signal.SIGTERM)
        check("the_daemon_ends_cleanly", daemon.wait(60) == 0, daemon.returncode)
        for name, told in tells.items():
            look(database, name, told)
        rejected = query(database, "SELECT reason, detail FROM rejected LIMIT 3")
        check("nothing_is_rejected", not rejected, rejected)
    finally:
        if daemon.poll() is None:
            daemon.kill()
        broker.stdin.close()
        broker.wait(10)
    return end()


if __name__ == "__main__":
    sys.exit(main())
