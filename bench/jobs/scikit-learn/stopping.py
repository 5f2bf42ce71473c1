import json
from copy import deepcopy

import numpy as np
from data import digits
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

x, y = digits("train", 1000)
validation_x, validation_y = digits("test", 500)
model = MLPClassifier([64], learning_rate_init=0.003, batch_size=32, random_state=1)
best, since, epochs = np.inf, 0, 0
# `early_stopping` takes its own part of the rows, and has no callbacks.
with open("log.jsonl", "w") as log:
    while epochs < 100 and since < 3:
        model.partial_fit(x, y, np.arange(10))
        loss = log_loss(validation_y, model.predict_proba(validation_x))
        log.write(json.dumps({"epoch": epochs, "loss": loss}, separators=(",", ":")) + "\n")
        epochs += 1
        since += 1
        if loss < best:
            best, since, kept = loss, 0, deepcopy(model)
loss = log_loss(validation_y, kept.predict_proba(validation_x))
print(json.dumps({"epochs": epochs, "loss": loss, "best": best}))
