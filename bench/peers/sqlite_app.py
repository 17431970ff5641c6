"""The peer of POST /action: FastAPI + SQLite + partial_fit. Each event is committed durably, then
learnt by the one process that has the model. BENCH_DB is the file."""

import os
import sqlite3

from fastapi import FastAPI, Request
from sklearn.linear_model import SGDRegressor

db = sqlite3.connect(os.environ["BENCH_DB"], isolation_level=None, check_same_thread=False)
db.execute("PRAGMA journal_mode=WAL")  # one sync a commit; the other modes take more
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, x1 REAL, x2 REAL, x3 REAL, target REAL)")
model = SGDRegressor(learning_rate="constant", eta0=1e-6)
app = FastAPI()


@app.get("/healthz")
async def healthz():
    return {}


@app.post("/action", status_code=201)
async def action(request: Request):
    event = await request.json()
    row = [float(event[name]) for name in ("x1", "x2", "x3")]
    target = float(event["target"])
    cursor = db.execute("INSERT INTO events(x1, x2, x3, target) VALUES (?, ?, ?, ?)", (*row, target))
    model.partial_fit([row], [target])
    return {"seq": cursor.lastrowid}
