import json

import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

train, test = pd.read_csv("cars-train.csv"), pd.read_csv("cars-test.csv")
columns = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=object)),
)
network = MLPRegressor([32], learning_rate_init=0.01, batch_size=32, max_iter=100, random_state=1)
scaled = TransformedTargetRegressor(network, transformer=StandardScaler())
model = make_pipeline(columns, scaled).fit(train.drop(columns="mpg"), train.mpg)
predicted = model.predict(test.drop(columns="mpg"))
print(json.dumps({"r2": r2_score(test.mpg, predicted), "error": mean_absolute_error(test.mpg, predicted)}))
