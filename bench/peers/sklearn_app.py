"""The peer of /predict: FastAPI + scikit-learn. BENCH_TRAIN is a table, its last column the target."""

import io
import os
from typing import List

import numpy
import pandas
from fastapi import Body, FastAPI, Request, Response
from pydantic import create_model
from sklearn.linear_model import LinearRegression

train = pandas.read_csv(os.environ["BENCH_TRAIN"], sep="\t")
features = list(train.columns[:-1])
model = LinearRegression().fit(train[features].values, train[train.columns[-1]].values)
app = FastAPI()

# Names and types of every row are checked, as FastAPI's users do, and as we do.
Row = create_model("Row", **{name: (float, ...) for name in features})
Row.Config.extra = "forbid"


@app.get("/predict")
async def predict(x1: float, x2: float, x3: float):
    return {"prediction": float(model.predict([[x1, x2, x3]])[0])}


@app.post("/predict")
async def predict_many(request: Request):
    body = await request.body()
    if request.headers["content-type"] == "text/tab-separated-values":
        rows = pandas.read_csv(io.BytesIO(body), sep="\t")[features].values
        predictions = model.predict(rows)
        return Response("".join(f"{p!r}\n" for p in predictions.tolist()), media_type="text/plain")
    rows = numpy.array([[row[name] for name in features] for row in await request.json()])
    return {"predictions": model.predict(rows).tolist()}


@app.post("/predict/checked")
async def predict_checked(rows: List[Row] = Body(...)):
    values = numpy.array([[getattr(row, name) for name in features] for row in rows])
    return {"predictions": model.predict(values).tolist()}
