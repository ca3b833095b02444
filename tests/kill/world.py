"""world.py -- the messages of the kill test: two models of tests/data in one pair of topics, with what
real topics have besides: bad records, predictions sent twice, labels that come first, late or again, and
many labels of one instant. A function of the seed."""
import gzip
import json
import os
import random
import sys

HOUR = 3600 * 1000


def lines(path):
    with gzip.open(path, "rt") as f:
        return [json.loads(line) for line in f]


def load(data, name, model, first_ms, rows):
    """Records and labels of a set, moved in time so that the models run side by side."""
    records = lines(os.path.join(data, name, "stream.jsonl.gz"))[:rows]
    ids = {r["id"] for r in records}
    labels = [r for r in lines(os.path.join(data, name, "labels.jsonl.gz")) if r["id"] in ids]
    shift = first_ms - records[0]["ts"]
    for r in records + labels:
        r["ts"] += shift
        r["model"] = model
    for r in labels:  # loads by the hour: runs of labels with equal time
        r["ts"] += -r["ts"] % HOUR
    return records, labels


def bad(rng, ts):
    return rng.choice([
        "{not json at all",
        '{"id":"x","ts":%d,"model":"bike","prediction":{"value":1}' % ts,
        '{"ts":%d,"model":"elec","label":"UP"}' % ts,
        '{"id":"z","ts":%d,"model":"elec","ts":%d,"prediction":{"class":"UP"}}' % (ts, ts + 1),
        '{"id":"w","ts":%d,"model":"nobody","prediction":{"value":2}}' % ts,
        '{"id":"v","ts":%d,"model":"bike"}' % ts,
        '[1,2,3]',
    ])


def text(record):
    return json.dumps(record, separators=(",", ":"))


def build(data, seed, rows):
    """(predictions, labels): lists of (event time, id, line) in order of event time."""
    rng = random.Random(seed)
    first_ms = 1293840000000
    predictions, labels = [], []
    for name, model, n in (("bike", "bike", rows), ("elec2", "elec", 2 * rows)):
        records, outcomes = load(data, name, model, first_ms, n)
        for i, r in enumerate(records):
            if model == "elec" and i > len(records) // 2:
                r["model_version"] = "2"
            predictions.append((r["ts"], r["id"], text(r)))
            if rng.random() < .004:
                again = r["ts"] + rng.randrange(HOUR)
                predictions.append((again, r["id"], text(r)))
            if rng.random() < .01:
                predictions.append((r["ts"], r["id"], bad(rng, r["ts"])))
        for r in outcomes:
            chance = rng.random()
            if chance < .01:  # before its prediction
                r["ts"] -= 200 * HOUR
            elif chance < .02:  # after everything else
                r["ts"] += 90 * 24 * HOUR
            elif chance < .03:  # again, revised
                other = dict(r, ts=r["ts"] + 5 * HOUR)
                other["label"] = other["label"] + 7 if model == "bike" else "UP"
                labels.append((other["ts"], other["id"], text(other)))
            labels.append((r["ts"], r["id"], text(r)))
            if rng.random() < .004:
                labels.append((r["ts"], r["id"], bad(rng, r["ts"])))
    predictions.sort(key=lambda m: m[0])
    labels.sort(key=lambda m: m[0])
    return predictions, labels


def parts(messages, partitions):
    """The lines of each partition; one id is always in the same."""
    out = [[] for _ in range(partitions)]
    for _, name, line in messages:
        out[sum(name.encode()) % partitions].append(line)
    return out


def main():
    """world.py DATA DIRECTORY SEED ROWS PARTITIONS: writes predictions.0 .. and labels.0 .. for kcat."""
    data, directory, seed, rows, partitions = sys.argv[1:]
    for name, messages in zip(("predictions", "labels"), build(data, int(seed), int(rows))):
        for number, lines_of in enumerate(parts(messages, int(partitions))):
            with open(os.path.join(directory, "%s.%d" % (name, number)), "w") as f:
                f.writelines(line + "\n" for line in lines_of)


if __name__ == "__main__":
    main()
