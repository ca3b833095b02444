"""MAPIE: split conformal intervals of a gradient boosting model; the second half of the stream is noisier, so that the
intervals stop to cover."""
import numpy as np
from mapie.regression import SplitConformalRegressor
from sklearn.ensemble import GradientBoostingRegressor

from producer import Topics, shorten

LEVEL, CALIBRATION, RECORDS = 0.9, 300, 400


def main():
    rng = np.random.default_rng(5)

    def draw(n, noise=0.5):
        x = rng.uniform(-2, 2, size=(n, 2))
        return x, np.sin(2 * x[:, 0]) + x[:, 1] + rng.normal(scale=noise, size=n)

    model = GradientBoostingRegressor(n_estimators=60, random_state=0).fit(*draw(500))
    conformal = SplitConformalRegressor(model, confidence_level=LEVEL, prefit=True)
    conformal.conformalize(*draw(CALIBRATION))
    topics = Topics("mapie-intervals", 20)
    for half, noise in enumerate((0.5, 1.0)):
        x, y = draw(RECORDS // 2, noise)
        value, interval = conformal.predict_interval(x)
        for i in range(len(x)):
            topics.send(half * RECORDS // 2 + i, {
                "features": {"a": shorten(x[i, 0]), "b": shorten(x[i, 1])},
                "prediction": {"value": shorten(value[i]), "lower": shorten(interval[i, 0, 0]),
                               "upper": shorten(interval[i, 1, 0]), "level": LEVEL},
                "conformal": {"method": "split", "n_cal": CALIBRATION}}, shorten(y[i]))
    topics.close()


main()
