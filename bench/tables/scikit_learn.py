"""Trains scikit-learn's MLP on a table as `blasnet train` does, and scores it on another one.

Arguments: train.csv, test.csv, target, classification or regression, seed. Prints JSON: score, seconds of training.
Numbers: median for missing ones, standardised. Other columns: one-hot. The rest are scikit-learn's defaults.
"""
import csv
import json
import sys
import time
import warnings

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

train_path, test_path, target, task, seed = sys.argv[1:]
warnings.simplefilter("ignore", ConvergenceWarning)


def read(path):
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    return names, np.array(rows, dtype=object)


def as_numbers(column):
    """Numbers with NaN for missing ones; None where one is no number."""
    try:
        return np.array([float(text) if text else np.nan for text in column])
    except ValueError:
        return None


names, train = read(train_path)
_, test = read(test_path)
at = names.index(target)
inputs = [i for i in range(len(names)) if i != at]
numbers = [i for i in inputs if as_numbers(train[:, i]) is not None]
others = [i for i in inputs if i not in numbers]
for i in numbers:
    train[:, i], test[:, i] = as_numbers(train[:, i]), as_numbers(test[:, i])
classification = task == "classification"
kind = str if classification else float
train_y, test_y = train[:, at].astype(kind), test[:, at].astype(kind)
columns = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (
            "others",
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value=""), OneHotEncoder(handle_unknown="ignore")
            ),
            others,
        ),
    ]
)
if classification:
    network = MLPClassifier(random_state=int(seed))
else:
    network = TransformedTargetRegressor(MLPRegressor(random_state=int(seed)), transformer=StandardScaler())
model = make_pipeline(columns, network)
begin = time.perf_counter()
model.fit(train, train_y)
seconds = time.perf_counter() - begin
predictions = model.predict(test)
if classification:
    score = {"accuracy": accuracy_score(test_y, predictions)}
else:
    score = {"r2": r2_score(test_y, predictions)}
print(json.dumps({"score": score, "seconds": seconds}))
