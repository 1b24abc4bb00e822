# ruff: noqa: T201
"""Check the demo corpus: shape, ids, counts, lengths and near-duplicates.

Run from anywhere: python annotator/demo/check_demo.py [--learn]
With --learn it also reports the 5-fold accuracy of TF-IDF + logistic regression.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import statistics
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHANNELS = {"e-mail", "chat", "form", "social"}
MAX_JACCARD = 0.6


def tokens(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def main() -> int:
    lines = (HERE / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    keys = {label["key"] for label in json.loads((HERE / "labels.json").read_text("utf-8"))}
    problems: list[str] = []

    for number, row in enumerate(rows, 1):
        if row["id"] != f"T-{number:04d}":
            problems.append(f"line {number}: id {row['id']}")
        if row["label"] not in keys:
            problems.append(f"{row['id']}: label {row['label']}")
        if row["channel"] not in CHANNELS:
            problems.append(f"{row['id']}: channel {row['channel']}")
        if dt.date.fromisoformat(row["date"]).year != 2026:
            problems.append(f"{row['id']}: date {row['date']}")
        if not row["text"].strip():
            problems.append(f"{row['id']}: empty text")

    bags = [tokens(row["text"]) for row in rows]
    pairs = []
    for i, j in combinations(range(len(rows)), 2):
        union = len(bags[i] | bags[j])
        pairs.append((len(bags[i] & bags[j]) / union if union else 1.0, i, j))
    pairs.sort(reverse=True)
    if pairs and pairs[0][0] > MAX_JACCARD:
        problems.append("near-duplicates")

    counts = Counter(row["label"] for row in rows)
    for key, count in counts.most_common():
        print(f"{key:22}{count:5}{100 * count / len(rows):7.1f} %")
    print("tickets", len(rows), "hard", sum(bool(row.get("hard")) for row in rows))
    print("channels", dict(Counter(row["channel"] for row in rows)))
    lengths = sorted(len(row["text"].split()) for row in rows)
    tenths = [lengths[len(lengths) * k // 10] for k in range(1, 10)]
    print(
        "words: min",
        lengths[0],
        "max",
        lengths[-1],
        "mean",
        round(statistics.mean(lengths), 1),
        "deciles",
        tenths,
    )
    print("more than 60 words:", sum(n > 60 for n in lengths))
    for value, i, j in pairs[:5]:
        print(f"Jaccard {value:.2f} {rows[i]['id']} {rows[j]['id']}")
        print("   ", repr(rows[i]["text"][:80]), "|", repr(rows[j]["text"][:80]))

    problems += imported_problems({row["id"]: row["label"] for row in rows}, keys)
    if "--learn" in sys.argv[1:]:
        learn([row["text"] for row in rows], [row["label"] for row in rows])
    for problem in problems:
        print("PROBLEM", problem)
    return 1 if problems else 0


def imported_problems(truth: dict[str, str], keys: set[str]) -> list[str]:
    imported = json.loads((HERE / "prelabelled.json").read_text("utf-8"))
    answers = imported["answers"]
    problems = []
    wrong = sorted(i for i, label in answers.items() if truth[i] != label)
    if wrong != sorted(imported["wrong"]):
        problems.append("prelabelled.json: 'wrong' does not match the answers")
    if not set(answers.values()) <= keys:
        problems.append("prelabelled.json: unknown label")
    print("imported answers", len(answers), "wrong", len(wrong))
    return problems


def learn(texts: list[str], labels: list[str]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=2000),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    scores = cross_val_score(model, texts, labels, cv=folds)
    print("TF-IDF + logistic regression, 5-fold accuracy", round(float(scores.mean()), 3))


if __name__ == "__main__":
    raise SystemExit(main())
