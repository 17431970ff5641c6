#!/usr/bin/env python3
"""Writes X.coef_exact.txt and X.pred_exact.txt beside each X.train.tsv and X.test.tsv.

Least squares in rational arithmetic on the float64 values of the tables, to 26 digits. Before that
the same solver is run on the decimal data as published, and must give every digit that NIST
certifies: the float64 powers of Filip's x are other data, whose solution differs in the 8th digit.
"""
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent
POLYNOMIALS = {"Pontius", "Filip", "Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5"}
CERTIFIED = {  # coefficients, then the residual sum of squares
    "Norris": "-0.262323073774029 1.00211681802045 26.6173985294224",
    "Pontius": "0.673565789473684E-03 0.732059160401003E-06 -0.316081871345029E-14"
    " 0.155761768796992E-05",
    "NoInt1": "0 2.07438016528926 254.545454545455",  # mirrored: twice 127.272727272727
    "NoInt2": "0 0.727272727272727 0.545454545454546",  # mirrored: twice 0.272727272727273
    "Filip": "-1467.48961422980 -2772.17959193342 -2316.37108160893 -1127.97394098372"
    " -354.478233703349 -75.1242017393757 -10.8753180355343 -1.06221498588947"
    " -0.670191154593408E-01 -0.246781078275479E-02 -0.402962525080404E-04"
    " 0.795851382172941E-03",
    "Longley": "-3482258.63459582 15.0618722713733 -0.358191792925910E-01 -2.02022980381683"
    " -1.03322686717359 -0.511041056535807E-01 1829.15146461355 836424.055505915",
    "Wampler1": "1 1 1 1 1 1 0",
    "Wampler2": "1 0.1 0.01 0.001 0.0001 0.00001 0",
    "Wampler3": "1 1 1 1 1 1 83554268.0000000",
    "Wampler4": "1 1 1 1 1 1 835542680000.000",
    "Wampler5": "1 1 1 1 1 1 8355426800000000",
}


def read(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def solve(rows):
    """Least squares with an intercept by exact elimination; the last column is the target."""
    rows = [[Fraction(1)] + row for row in rows]
    width = len(rows[0])
    table = [[sum(r[i] * r[j] for r in rows) for j in range(width)] for i in range(width - 1)]
    for i, pivot in enumerate(table):
        pivot[:] = [value / pivot[i] for value in pivot]
        for other in table:
            if other is not pivot:
                factor = other[i]
                other[:] = [a - factor * b for a, b in zip(other, pivot)]
    return [row[-1] for row in table]


def predict(coefficients, row):
    return coefficients[0] + sum(c * x for c, x in zip(coefficients[1:], row))


def text(value):
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.25e}"


def published(name):
    """The rows with each decimal, and each power of x, taken exactly."""
    for *features, target in read(HERE / f"{name}.train.tsv"):
        row = [Fraction(cell) for cell in features]
        if name in POLYNOMIALS:
            row = [row[0] ** k for k in range(1, len(row) + 1)]
        yield row + [Fraction(target)]


def check(name):
    rows = list(published(name))
    coefficients = solve(rows)
    residual = sum((row[-1] - predict(coefficients, row[:-1])) ** 2 for row in rows)
    for got, wants in zip(coefficients + [residual], CERTIFIED[name].split(), strict=True):
        half_unit = Fraction(10) ** Decimal(wants).as_tuple().exponent / 2
        # twice the half unit: doubling a mirrored set's certified sum doubles its rounding
        assert abs(got - Fraction(wants)) <= 2 * half_unit, (name, wants, text(got))


def main():
    getcontext().prec = 26
    for path in sorted(HERE.glob("*.train.tsv")):
        name = path.name.split(".")[0]
        check(name)
        floats = [[Fraction(float(cell)) for cell in row] for row in read(path)]
        tests = [[Fraction(float(c)) for c in row] for row in read(HERE / f"{name}.test.tsv")]
        coefficients = solve(floats)
        predictions = [predict(coefficients, row) for row in tests]
        for kind, values in ("coef", coefficients), ("pred", predictions):
            lines = "".join(text(value) + "\n" for value in values)
            (HERE / f"{name}.{kind}_exact.txt").write_text(lines)


if __name__ == "__main__":
    main()
