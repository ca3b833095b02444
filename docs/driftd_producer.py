"""Writes predictions and labels for driftd with any Kafka producer. Copy it; it has no other needs."""
import json
import time


class Driftd:
    def __init__(self, producer, model, version=None, records="inference.{model}", labels="labels.{model}"):
        self.producer, self.model, self.version = producer, model, version
        self.records, self.labels = records.format(model=model), labels.format(model=model)

    def prediction(self, id, prediction=None, features=None, ts=None, **more):
        """`prediction`: {"class", "probs", "value", "lower", "upper", "set", "level", ...}, a number or a text.
        `more`: segment, members, samples, logits, embedding, ... as driftd's README describes them."""
        record = {"prediction": prediction, "features": features, "version": self.version, **more}
        self._write(self.records, id, ts, {k: v for k, v in record.items() if v is not None})

    def label(self, id, label, ts=None):
        self._write(self.labels, id, ts, {"label": label})

    def _write(self, topic, id, ts, rest):
        ts = int(time.time() * 1000) if ts is None else ts
        value = json.dumps({"id": str(id), "ts": ts, "model": self.model, **rest}, default=_plain).encode()
        if hasattr(self.producer, "produce"):
            self.producer.produce(topic, value=value, key=str(id).encode())
        else:
            self.producer.send(topic, value=value, key=str(id).encode())


def _plain(x):
    """NumPy's and pandas' numbers, arrays and times."""
    return x.tolist() if hasattr(x, "tolist") else str(x)
