#!/usr/bin/env python3
"""crash_world.py WORLD OUT [--seed N] [--rows N] [--partitions N] -- something for crash_hunt to replay.

Writes OUT/config.yaml, in which the seed switches on or off whatever a configuration can, and OUT/part.*, the
lines of WORLD: `made` (three made-up models that send everything that a record may hold), `kill` (the messages
of the kill test), or a folder with stream.jsonl.gz and perhaps labels.jsonl.gz, or NAME.jsonl.gz of such ones.
Lines are cut into partitions, some are repeated, spoiled, late or given another version.
"""
import argparse
import gzip
import json
import math
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(HERE), "data")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "kill"))
import world  # noqa: E402

NUMERIC = ["tolerant", "conformal", "mondrian", "adwin", "{method: cusum, h: 6}", "ewma", "page-hinkley", "focus",
           "{method: sr-normal, mu: 0.2, sigma: 1}", "{method: conformal, role: paging}", "{method: sr-mean, m: 0.5}", "martingale"]
CATEGORY = ["tolerant-categorical", "categorical", "{method: categorical, role: paging}"]
BINARY = ["tolerant-binary", "binary", "ewma", "hddm-a"]


# -- records -----------------------------------------------------------------------------------------------

def probabilities(rng, k, shift):
    logits = [rng.gauss(0, 2) + (shift if i == 1 else 0) for i in range(k)]
    high = [math.exp(v) for v in logits]
    return logits, [v / sum(high) for v in high]


def rounded(values):
    return [round(v, 5) for v in values]


def shuffled(rng, i, r):
    """Keys in any order, and features that some records lack or that come later."""
    for name in ("features", "segment"):
        keys = list(r.get(name, {}).items())
        rng.shuffle(keys)
        if keys:
            r[name] = dict(pair for pair in keys if rng.random() > .1)
    for k in range(3):
        if rng.random() < .3 and i > 300 * k:
            r.setdefault("features", {})["new%d" % (2 - k)] = round(rng.gauss(k, 1), 3)
    probs = r["prediction"].get("probs")
    if probs and rng.random() < .5:
        r["prediction"]["probs"] = dict(sorted(probs.items(), reverse=True))
    return r


def made_record(rng, i, n, ts):
    late = i > n * .55
    shift = .9 if late else 0
    version = "2" if i > n * .4 and rng.random() < .7 else "1"
    segment = {"country": rng.choice(["NL", "NL", "DE", "FR", "PL"][:5 if late else 4]), "tier": rng.choice("ab")}
    x, y = rng.gauss(shift, 1), rng.gauss(0, 1)
    which = i % 3
    if which == 0:
        mu = [round(y + rng.gauss(0, .3 + .5 * late), 4) for _ in range(5)]
        r = {"id": "r%d" % i, "model": "rent", "version": version, "segment": segment,
             "features": {"x": round(x, 5), "kind": rng.choice("abcd" + "ef" * late), "turn": i // 3 % 4,
                          "gap": None if rng.random() < .05 + .2 * late else 1.5, "flag": rng.random() < .3,
                          "z": round(x * y, 4)},
             "prediction": {"value": round(y, 4), "lower": round(y - 1.6, 4), "upper": round(y + 1.6, 4), "level": .9},
             "members": {"mu": mu, "var": [round(.5 + x * x, 4)] * 5}, "conformal": {"n_cal": 500, "qhat": 1.6}}
        if rng.random() < .5:
            r["quantiles"] = {"0.05": round(y - 2, 4), "0.5": round(y, 4), "0.95": round(y + 2, 4)}
        if rng.random() < .3:
            r["samples"] = [round(y + rng.gauss(0, 1), 3) for _ in range(8)]
    elif which == 1:
        logits, probs = probabilities(rng, 3, shift)
        best = probs.index(max(probs))
        r = {"id": "c%d" % i, "model": "click", "segment": {"country": segment["country"]},
             "features": {"z": round(10 * x, 4), "word": "w%d" % int(rng.expovariate(.2))},
             "prediction": {"class": "cat%d" % best, "probs": {"cat%d" % k: round(p, 4) for k, p in enumerate(probs)},
                            "set": ["cat%d" % best, "cat%d" % ((best + 1) % 3)], "level": .8},
             "logits": rounded(logits), "embedding": rounded(rng.gauss(shift * (k == 0), 1) for k in range(8)),
             "biz": {"v": round(y + shift, 4), "k": "p" if y > 1 else "q"}}
        if rng.random() < .5:
            r["members"] = {"probs": [rounded(probabilities(rng, 3, shift)[1]) for _ in range(4)]}
        elif rng.random() < .5:
            r["dirichlet"] = [round(1 + 5 * p, 3) for p in probs]
        if i > 30 and rng.random() < .1:
            r.update({"id": "p%d" % i, "probe_of": "c%d" % (i - 3), "perturbation": rng.choice(["fgsm", "blur"]),
                      "severity": rng.randrange(3)})
    else:
        r = {"id": "f%d" % i, "model": "fraud-%d" % (i % 2), "features": {"a": round(x, 3), "b": round(y, 3)},
             "score": round(abs(y), 4), "prediction": {"value": round(x, 3), "sd": 1.0}}
    r["ts"] = ts
    return shuffled(rng, i, r)


def made_label(rng, r, late):
    if "probe_of" in r or rng.random() < .1:
        return None
    value = r["prediction"].get("value")
    if value is not None:
        value = round(value + rng.gauss(0, 2 if late else 1), 4)
    else:
        value = r["prediction"]["class"] if rng.random() < (.55 if late else .8) else "cat%d" % rng.randrange(3)
    label = {"id": r["id"], "model": r["model"], "label": value,
             "ts": r["ts"] + int(rng.lognormvariate(0, 1.5) * 3600e3) // 60000 * 60000}
    if rng.random() < .05:
        label["nonconformity"] = round(abs(rng.gauss(0, 1)), 3)
    return label


def made(rng, n):
    records, labels, ts, step = [], [], 1700000000000, rng.choice([120000, 600000])
    for i in range(n):
        ts += step if i % 1000 else 4 * 3600000
        records.append(made_record(rng, i, n, ts))
        label = made_label(rng, records[-1], i > n * .6)
        if label:
            labels.append(label)
    return records, labels


def read(path, rows):
    with gzip.open(path, "rt") as f:
        return [json.loads(line) for _, line in zip(range(rows), f)]


def stored(folder, rows):
    """A stream and its labels; only those of the rows taken."""
    if os.path.isdir(folder):
        stream, labels = (os.path.join(folder, "%s.jsonl.gz" % name) for name in ("stream", "labels"))
    else:
        stream, labels = folder, folder.replace(".jsonl.gz", ".labels.jsonl.gz")
    records = read(stream, rows)
    ids = {r.get("id") for r in records}
    return records, [r for r in read(labels, 10**9) if r["id"] in ids] if os.path.exists(labels) else []


def spoiled(rng, ts):
    return rng.choice(["{not json", '{"id":"q","ts":%d,"model":"rent"}' % ts, "[1,2]", "",
                       '{"id":"k","ts":%d,"ts":%d,"features":{"x":1}}' % (ts, ts)])


def lines_of(rng, records, labels, spans):
    """(time, id, line) of everything, with what real topics have besides."""
    out = []
    for r in records + labels:
        at, chance = r["ts"], rng.random()
        out.append((at, r.get("id", ""), world.text(r)))
        if chance < .004:
            out.append((at + rng.randrange(1 + spans), r.get("id", ""), out[-1][2]))  # again
        elif chance < .008:
            out.append((at, r.get("id", ""), spoiled(rng, at)))
        elif chance < .012:
            out.append((at + rng.randrange(1 + spans), r.get("id", ""),  # late
                        world.text(dict(r, id="%s-late" % r.get("id", "")))))
        elif chance < .014 and "label" in r:
            other = dict(r, ts=at + spans)
            out.append((other["ts"], r["id"], world.text(other)))
    out.sort(key=lambda line: line[0])
    return out


# -- configuration ------------------------------------------------------------------------------------------

def some(rng, choices, least=1, most=5):
    return "[%s]" % ", ".join(rng.sample(choices, min(len(choices), rng.randint(least, most))))


def configuration(rng, records, span_ms):
    """What the seed chooses; times follow the length of the stream."""
    minute = 60000
    count = len(records)

    def share(low, high, least=minute):
        return "%ds" % max(least // 1000, int(span_ms * rng.uniform(low, high)) // 1000)

    def maybe(chance, text):
        return text if rng.random() < chance else ""

    names = sorted({r["model"] for r in records})
    segments = sorted({k for r in records[:3000] for k in r.get("segment", {})})
    width = max(1, min(86400, span_ms // rng.choice([150, 400, 1500]) // 1000))
    windows = rng.choice(["{width: %ds}" % width, "{records: %d}" % rng.choice([20, 150, 400])])
    text = ["database: driftd.db", "id_hash_key: 000102030405060708090a0b0c0d0e0f",
            "alerts: {budget: %d per %s, send: %s}" % (rng.choice([1, 20]), share(.05, .3),
                                                      rng.choice(["all", "certified"])),
            "windows: %s" % windows, "seed: %d" % rng.randrange(100),
            "retention: {window: %s, hour: %s}" % (share(.1, .6, 3600000), share(.5, 1.5, 3600000)),
            maybe(.3, "privacy: {values: %s}" % rng.choice(["bin", "hash"])), maybe(.2, "tenant: acme"),
            maybe(.2, "models_max: %d" % max(1, len(names) - 1)),
            "defaults:", "  min_effect: %s" % rng.choice([.02, .1, .3]),
            "  reference: {from: first, records: %d, span: %s}" % (rng.choice([120, count // 12 + 100, count // 6 + 100]),
                                                              share(.05, .3)),
            "  labels: {wait: %s, lateness: %s, capacity: %d, revision: %s, explain: %d}" % (
                share(.05, .4), share(.01, .3, 1000), rng.choice([64, 1024, 65536]), rng.choice(["first", "last"]),
                rng.choice([0, 2, 64])),
            "  no_data: %s" % rng.choice(["off", "auto"]),
            "  coverage: {tolerance: %s, recalibrate: %s, calibration: %s, level: %s%s}" % (
                rng.choice([.01, .05]), rng.choice(["off", "aci", "dtaci"]), rng.choice(["from-record", "unknown", "500"]),
                rng.choice(["from-record", "0.9"]), maybe(.5, ", groups: [class, set_size]")),
            "  season: %s" % rng.choice(["auto", "none", "day", "week"]), "  thin: %s" % rng.choice(["auto", "auto", "1", "3"]),
            maybe(.5, "  rebaseline: {after: %s}" % share(.01, .1)), maybe(.4, "  resolve_after: 100"),
            "  joint: {projections: %d, records_per_day: %d}" % (
                rng.choice([0, 16, 64]), rng.choice([86400, max(100, int(count / max(1, span_ms / 86400000) / 2))])),
            "  ood: {panel: %s, features: %s, records: %d, bank: %d, alpha: %s, threshold: %s%s}" % (
                rng.choice(["auto", "auto", "off"]), rng.choice(["true", "false"]), rng.choice([200, count // 8 + 200]),
                rng.choice([0, 50, 2000]), rng.choice([.01, .1]), rng.choice(["nominal", "pac"]), maybe(.3, ", by: class")),
            maybe(.8, "  performance: {accuracy: {at_least: .7}, brier: {at_most: .3}, calibration: {at_most: .05},"
                  " error_rate: {at_most: .2}, mae: {at_most: 1, bound: 5}, coverage: {at_least: .85}}"),
            maybe(.6, "  detectors: {numeric: %s, binary: %s, categorical: %s, \"prediction:*\": %s}" % (
                some(rng, NUMERIC), some(rng, BINARY), some(rng, CATEGORY), some(rng, NUMERIC[:2] + ["adwin"]))),
            maybe(.6, "  streams: {v: {path: biz.v, at_most: 0.4, range: [-4, 4]}, k: biz.k, p: prediction.value}")]
    if segments:
        text += [maybe(.7, "  segments: {keys: [%s], features: %s}" % (
            ", ".join(segments), rng.choice(["true", "false"]))), maybe(.4, "  segments_max: 2")]
    text.append("models: auto" if any("models_max" in line for line in text) else rng.choice(["models: auto", "models: {%s: {}, \"*\": {}}" % names[0],
                            "models: [%s]" % ", ".join("{name: %s}" % name for name in names)]))
    return "\n".join(line for line in text if line) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("world")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--partitions", type=int, default=2)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    if args.world == "kill":
        both = [[json.loads(line) for _, _, line in messages if line[:5] == '{"id"' and line[-1] == "}"
                 and '"prediction":{"value":1}' not in line] for messages in world.build(DATA, args.seed, args.rows // 3)]
        records, labels = both
    elif args.world == "made":
        records, labels = made(rng, args.rows)
    else:
        records, labels = stored(args.world, args.rows)
    records.sort(key=lambda r: r["ts"])
    span = max(60000, records[-1]["ts"] - records[0]["ts"])
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "config.yaml"), "w") as f:
        f.write(configuration(rng, records, span))
    for number, part in enumerate(world.parts(lines_of(rng, records, labels, span // 50), args.partitions)):
        with open(os.path.join(args.out, "part.%d" % number), "w") as f:
            f.writelines(line + "\n" for line in part)


if __name__ == "__main__":
    main()
