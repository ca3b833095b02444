#!/usr/bin/env python3
"""Records a second of processor time: driftd replay beside one Python process with River and orjson.

usage: peers.py DRIFTD FOLDER [RECORDS]     default 200 000 records; a tenth of them for Python

Both read the same file of records with 20 numeric features and an interval. Python parses each with orjson
and updates one River ADWIN (default settings) a feature; driftd does everything it does by default: parse,
tolerant and conformal and missing values of each feature, the prediction and its width, statistics, the
journal of predictions, the database. References are fitted before, in a run of their own that is subtracted.
River and orjson come from PyPI into a virtual environment in FOLDER; without access to it nothing is compared.
"""
import json
import os
import random
import resource
import subprocess
import sys
import time

FEATURES, REFERENCE = 20, 10000


def write(path, records, seed):
    rng = random.Random(seed)
    names = [f"feature_{i:02}" for i in range(FEATURES)]
    with open(path, "w", encoding="ascii") as f:
        for n in range(records):
            value = 10 + rng.gauss(0, 1)
            f.write(json.dumps({
                "id": f"r{seed}-{n}", "ts": 1700000000000 + n, "model": "bench",
                "features": {name: round(rng.gauss(0, 1), 6) for name in names},
                "prediction": {"value": round(value, 6), "lower": round(value - 1.645, 6),
                               "upper": round(value + 1.645, 6), "level": 0.9},
            }, separators=(",", ":")) + "\n")


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def river(path, records):
    """In the virtual environment: processor seconds of the first records of a file."""
    import orjson
    from river import drift

    detector = {}
    seen = 0
    start = time.process_time()
    with open(path, "rb") as f:
        for line in f:
            for name, value in orjson.loads(line)["features"].items():
                d = detector.get(name)
                if d is None:
                    d = detector[name] = drift.ADWIN()
                d.update(value)
            seen += 1
            if seen == records:
                break
    print(time.process_time() - start)


def environment(folder):
    python = os.path.join(folder, "peers", "bin", "python")
    have = [python, "-c", "import river, orjson"]
    if os.path.exists(python) and subprocess.run(have, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return python
    for command in ([sys.executable, "-m", "venv", os.path.join(folder, "peers")],
                    [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "river", "orjson"]):
        try:
            subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError) as e:
            print(f"peers: River and orjson cannot be installed here ({e}): nothing compared")
            return None
    return python


def replay(driftd, folder, records, reference):
    db = os.path.join(folder, "peers.db")
    for suffix in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    seconds = cpu([driftd, "replay", os.path.join(folder, "peers.yaml"), records, "--reference", reference,
                   "-o", db, "--quiet"])
    for suffix in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(db + suffix):
            os.remove(db + suffix)
    return seconds


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--river":
        river(sys.argv[2], int(sys.argv[3]))
        return 0
    if len(sys.argv) not in (3, 4):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 64
    driftd, folder = sys.argv[1], sys.argv[2]
    records = int(sys.argv[3]) if len(sys.argv) > 3 else 200000
    fewer = max(1, records // 10)
    os.makedirs(folder, exist_ok=True)
    python = environment(folder)
    if not python:
        return 0
    path, reference, one = (os.path.join(folder, name) for name in ("peers.jsonl", "peers-ref.jsonl", "one.jsonl"))
    write(path, records, 1)
    write(reference, REFERENCE, 2)
    write(one, 1, 3)
    with open(os.path.join(folder, "peers.yaml"), "w", encoding="ascii") as f:
        f.write("models:\n  - name: bench\n")
    ours, peer = [], []
    for _ in range(3):  # in turns: what else the machine does meets both
        ours.append(replay(driftd, folder, path, reference) - replay(driftd, folder, one, reference))
        peer.append(float(subprocess.run([python, __file__, "--river", path, str(fewer)], check=True,
                                         capture_output=True, text=True).stdout))
    version = subprocess.run([python, "-c", "import river, orjson; print(river.__version__, orjson.__version__)"],
                             check=True, capture_output=True, text=True).stdout.split()
    a, b = records / min(ours), fewer / min(peer)
    print(f"driftd replay, everything                     {a:10.0f} records a second of processor time")
    print(f"River {version[0]} ADWIN a feature, orjson {version[1]:8} {b:10.0f} records a second of processor time")
    print(f"ratio                                         {a / b:10.1f}")
    for name in (path, reference, one):
        os.remove(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
