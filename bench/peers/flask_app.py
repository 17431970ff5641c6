"""The peer of GET /predict: Flask + scikit-learn. BENCH_TRAIN is a table, its last column the target."""

import os

import pandas
from flask import Flask, jsonify, request
from sklearn.linear_model import LinearRegression

train = pandas.read_csv(os.environ["BENCH_TRAIN"], sep="\t")
model = LinearRegression().fit(train.values[:, :-1], train.values[:, -1])
app = Flask(__name__)


@app.get("/predict")
def predict():
    row = [float(request.args[name]) for name in ("x1", "x2", "x3")]
    return jsonify(prediction=float(model.predict([row])[0]))
