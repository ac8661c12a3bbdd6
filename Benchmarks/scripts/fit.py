"""Least squares with weights, for a handful of unknowns none of which is negative."""


def solve(matrix, right):
    """Solves a small system of linear equations, by Gauss with pivots; nil if it has no single solution."""
    count = len(right)
    rows = [list(row) + [value] for row, value in zip(matrix, right)]
    for i in range(count):
        pivot = max(range(i, count), key=lambda row: abs(rows[row][i]))
        if abs(rows[pivot][i]) < 1e-300:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for j in range(count):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i])]
    return [rows[i][count] / rows[i][i] for i in range(count)]


def fit(samples, unknowns):
    """The factors of `unknowns` terms, for samples (terms, value): those with the least squares of relative errors.

    A term whose factor would be negative costs nothing, and is left out.
    """
    used = list(range(unknowns))
    while used:
        weighted = [([terms[i] / value for i in used], 1.0) for terms, value in samples if value > 0]
        matrix = [[sum(row[i] * row[j] for row, _ in weighted) for j in range(len(used))] for i in range(len(used))]
        right = [sum(row[i] * one for row, one in weighted) for i in range(len(used))]
        factors = solve(matrix, right)
        if factors is None:
            used.pop()
        elif min(factors) < 0:
            used.pop(factors.index(min(factors)))
        else:
            return [factors[used.index(i)] if i in used else 0.0 for i in range(unknowns)]
    return [0.0] * unknowns
