"""producer.py -- what the producers of this folder share: a client of Kafka and the times of records and labels.

A producer fits its model, then hands over predictions with their labels. Everything is drawn from fixed seeds, so a
producer sends the same records whenever it runs with the same versions of its libraries.
"""
import json
import sys

FIRST_MS, STEP_MS, DELAY_MS = 1767225600000, 60_000, 300_000


class Topics:
    """Sends records and labels of one model with confluent-kafka; keeps them too, for a file (`--record FOLDER`)."""

    def __init__(self, model, hour):
        self.model = model
        self.first_ms = FIRST_MS + hour * 3_600_000  # one producer after the other
        self.lines = {"records": [], "labels": []}
        self.client = None
        self.folder = None
        arguments = sys.argv[1:]
        if arguments[:1] == ["--record"]:
            self.folder = arguments[1]
        elif len(arguments) == 1:
            from confluent_kafka import Producer

            self.client = Producer({"bootstrap.servers": arguments[0], "acks": "all", "linger.ms": 20})
        else:
            sys.exit(f"usage: {sys.argv[0]} HOST:PORT | --record FOLDER")

    def send(self, i, fields, label=None):
        """Record number i of the model, and its label five minutes later."""
        name, ts = f"{self.model}-{i:05d}", self.first_ms + i * STEP_MS
        self.put("records", name, {"id": name, "ts": ts, "model": self.model, **fields})
        if label is not None:
            self.put("labels", name, {"id": name, "ts": ts + DELAY_MS, "model": self.model, "label": label})

    def put(self, kind, key, message):
        line = json.dumps(message, separators=(",", ":"))
        self.lines[kind].append(line)
        if self.client:
            self.client.produce(f"producers.{kind}", key=key, value=line)
            self.client.poll(0)

    def close(self):
        if self.client:
            left = self.client.flush(60)
            if left:
                sys.exit(f"{left} messages were not delivered")
        if self.folder:
            import gzip
            import os

            for kind, lines in self.lines.items():
                path = os.path.join(self.folder, f"{self.model}.{'jsonl' if kind == 'records' else 'labels.jsonl'}.gz")
                with open(path, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as out:
                    out.write(("\n".join(lines) + "\n").encode() if lines else b"")
        print(json.dumps({"model": self.model, **{k: len(v) for k, v in self.lines.items()}}))


def shorten(values, digits=6):
    """Nested lists of floats, rounded: messages stay small."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, list):
        return [shorten(v, digits) for v in values]
    return round(float(values), digits)
