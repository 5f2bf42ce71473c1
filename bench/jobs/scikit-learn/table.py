import json

import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

train, test = pd.read_csv("penguins-train.csv"), pd.read_csv("penguins-test.csv")
columns = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=object)),
)
network = MLPClassifier([16], learning_rate_init=0.01, batch_size=32, max_iter=30, random_state=1)
model = make_pipeline(columns, network).fit(train.drop(columns="species"), train.species)
accuracy = model.score(test.drop(columns="species"), test.species)

bird = dict(island="Biscoe", beak_length=47, beak_depth=14.5, flipper_length=217, body_mass=None, sex="FEMALE")
label = model.predict(pd.DataFrame([bird]).astype({"body_mass": float}))[0]
print(json.dumps({"accuracy": accuracy, "label": label}))
