"""A Python peer's process: takes a request as JSON in its argument, replies with JSON on the last line of its output.

The counterpart of ../contender.ts: it measures like ../../measure.ts, with the tasks of ../../trainer.ts.
"""
import importlib
import json
import math
import os
import sys
import time

import numpy as np

import blas
import data

WARM_UP_SHARE = 0.3
# Samples of training before a prediction is timed.
PREPARATION = 6400
EVALUATION_BATCH = 1000


def timed(work, samples):
    cpu, begin = time.process_time(), time.perf_counter()
    work(samples)
    seconds = time.perf_counter() - begin
    return {
        "samplesPerSecond": samples / seconds,
        "samples": samples,
        "seconds": seconds,
        "cpuSeconds": time.process_time() - cpu,
    }


def planned_samples(rate, seconds, pass_samples, batch):
    affordable = rate * seconds
    if affordable >= pass_samples:
        return round(affordable / pass_samples) * pass_samples
    return max(1, int(affordable // batch)) * batch


def measure(begin, seconds, pass_samples, batch):
    """The speed over about `seconds`: a doubling warm-up, then a new start, timed after two batches."""
    work = begin()
    samples = 2 * batch
    last = timed(work, samples)
    while last["seconds"] < WARM_UP_SHARE * seconds:
        samples *= 2
        if samples >= pass_samples:
            samples = pass_samples * math.ceil(samples / pass_samples)
        last = timed(work, samples)
    work = begin()
    work(2 * batch)
    return timed(work, planned_samples(last["samplesPerSecond"], seconds, pass_samples, batch))


def training(create, workload, train):
    images, labels = train
    batch = workload["batchSize"]

    def begin():
        model = create()

        def work(samples):
            count = min(samples, len(labels))
            for _ in range(samples // count):
                model.train(images[:count], labels[:count], batch)

        return work

    return begin


def prediction(create, workload, train, test):
    batch = workload["batchSize"]

    def begin():
        model = create()
        model.train(train[0][:PREPARATION], train[1][:PREPARATION], 64)
        predict = model.predictor(batch)
        batches = [model.place(test[0][i : i + batch]) for i in range(0, len(test[0]), batch)]
        position = 0

        def work(samples):
            nonlocal position
            for _ in range(samples // batch):
                predict(batches[position])
                position = (position + 1) % len(batches)

        return work

    return begin


def learn(create, workload, samples, train, test):
    """Loss and accuracy on the test data after one pass over the given number of samples."""
    model = create()
    model.train(train[0][:samples], train[1][:samples], workload["batchSize"])
    loss = hits = 0
    for i in range(0, len(test[1]), EVALUATION_BATCH):
        labels = test[1][i : i + EVALUATION_BATCH]
        probabilities = np.asarray(model.probabilities(test[0][i : i + EVALUATION_BATCH]), np.float64)
        chosen = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-30)
        loss -= float(np.log(chosen).sum())
        hits += int((probabilities.argmax(1) == labels).sum())
    return {"loss": loss / len(test[1]), "accuracy": hits / len(test[1])}


def trial(load, seconds, candidates, prepare):
    """The speed with each of several options, or why it failed."""
    results = []
    for options in candidates:
        try:
            begin, pass_samples, batch = prepare(load(options))
            results.append({"samplesPerSecond": measure(begin, seconds, pass_samples, batch)["samplesPerSecond"]})
        except Exception as error:
            results.append({"error": "%s: %s" % (type(error).__name__, error)})
    return results


def main():
    request = json.loads(sys.argv[1])
    workload, job = request["workload"], request["job"]
    train = data.load(request["data"], "train")
    test = data.load(request["data"], "t10k")
    adapter = importlib.import_module(request["adapter"])

    def load(options):
        return adapter.load(workload, request["threads"], options, train)

    def prepare(create):
        if workload["task"] == "train":
            return training(create, workload, train), len(train[1]), workload["batchSize"]
        return prediction(create, workload, train, test), len(test[1]), workload["batchSize"]

    if job["kind"] == "trial":
        reply = trial(load, job["seconds"], job["candidates"], prepare)
    elif job["kind"] == "learn":
        reply = learn(load(request["options"]), workload, job["samples"], train, test)
    else:
        begin, pass_samples, batch = prepare(load(request["options"]))
        measurement = measure(begin, job["seconds"], pass_samples, batch)
        equipment = {"threads": request["threads"]}
        library = adapter.blas() or blas.describe()
        if library is not None:
            equipment["blas"] = library
        reply = {"measurement": measurement, "equipment": equipment}
    print(json.dumps(reply), flush=True)
    # Some libraries' threads block a normal exit.
    os._exit(0)


if __name__ == "__main__":
    main()
