"""conformalpy: conformal intervals around a random forest; a record has the interval, and the size of the calibration set
from which its promise follows."""
import numpy as np
from conformalpy.regressor import ConformalRegressor
from sklearn.ensemble import RandomForestRegressor

from producer import Topics, shorten

LEVEL, CALIBRATION, RECORDS = 0.9, 300, 400


def main():
    rng = np.random.default_rng(9)

    def draw(n):
        x = rng.uniform(-2, 2, size=(n, 2))
        return x, np.cos(2 * x[:, 0]) - x[:, 1] + rng.normal(scale=0.4, size=n)

    model = RandomForestRegressor(n_estimators=40, random_state=0).fit(*draw(500))
    conformal = ConformalRegressor(model, alpha=1 - LEVEL)
    conformal.calibrate(*draw(CALIBRATION))
    x, y = draw(RECORDS)
    value, interval = conformal.predict(x), np.asarray(conformal.predict_interval(x)).reshape(-1, 2)
    topics = Topics("conformalpy-intervals", 30)
    for i in range(RECORDS):
        topics.send(i, {"features": {"a": shorten(x[i, 0]), "b": shorten(x[i, 1])},
                        "prediction": {"value": shorten(value[i]), "lower": shorten(interval[i, 0]),
                                       "upper": shorten(interval[i, 1]), "level": LEVEL},
                        "conformal": {"method": "split", "n_cal": CALIBRATION}}, shorten(y[i]))
    topics.close()


main()
