import json
import pickle

import numpy as np
from data import digits
from sklearn.neural_network import MLPClassifier

x, y = digits("train", 2000)
classes = np.arange(10)


def make():
    return MLPClassifier([32], batch_size=32, random_state=1)


whole = make()
for _ in range(2):
    whole.partial_fit(x, y, classes)

first = make().partial_fit(x, y, classes)
with open("half.pickle", "wb") as file:
    pickle.dump(first, file)
with open("half.pickle", "rb") as file:
    half = pickle.load(file)
half.partial_fit(x, y)
print(json.dumps({"difference": np.abs(whole.predict_proba(x) - half.predict_proba(x)).max()}))
