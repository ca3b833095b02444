"""scikit-learn: bagged trees, each on a bootstrap sample; a record has the probabilities of each tree (members), and
labels may lie outside the training data later on."""
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.tree import DecisionTreeClassifier

from producer import Topics, shorten

MEMBERS, RECORDS = 10, 400


def main():
    digits = load_digits()
    order = np.random.default_rng(7).permutation(len(digits.data))
    train, later = order[:900], order[900:900 + RECORDS]
    model = BaggingClassifier(DecisionTreeClassifier(min_samples_leaf=5), n_estimators=MEMBERS, random_state=0)
    model.fit(digits.data[train], digits.target[train])
    probs = np.stack([tree.predict_proba(digits.data[later]) for tree in model.estimators_], axis=1)
    topics = Topics("sklearn-bagging", 40)
    for i, row in enumerate(probs):
        mean = row.mean(axis=0)
        topics.send(i, {"source": "bootstrap",
                        "prediction": {"class": int(mean.argmax()), "probs": shorten(mean, 9)},
                        "members": {"probs": shorten(row, 9)}}, int(digits.target[later[i]]))
    topics.close()


main()
