"""Strategies of small-text and scikit-activeml on given vectors, labels and a given student.

`python rival_worker.py` runs in .venv-bench and needs nothing of ours. It reads one JSON request a
line: {"folder", "strategy", "n", "seed"}; encodings (n, d), labelled (n,), answers (l, k), weights
(d, k), bias (k,) and multi_label lie in the folder as .npy. It answers {"rows", "seconds"}, or
{"error"}. A pick that takes more CPU seconds than LIMIT ends the process.
"""

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")
import numpy as np
import small_text
from scipy.sparse import csr_matrix
from skactiveml import pool as activeml
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import SklearnClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from small_text.data.datasets import SklearnDataset

LIMIT = 60
ITERATIONS = 10  # of discriminative learning, the library's example


class _Discriminative(small_text.DiscriminativeActiveLearning):
    """Refuses fewer picks than iterations, and the last round of a curve may be so short."""

    def query(self, *given: Any, n: int = 10) -> Any:
        self.num_iterations = min(ITERATIONS, n)
        return super().query(*given, n=n)


SMALL_TEXT = {
    "breaking-ties": small_text.BreakingTies,
    "least-confidence": small_text.LeastConfidence,
    "prediction-entropy": small_text.PredictionEntropy,
    "embedding-k-means": small_text.EmbeddingKMeans,
    "contrastive": lambda: small_text.ContrastiveActiveLearning(pbar=None),
    "greedy-coreset": small_text.GreedyCoreset,
    "lightweight-coreset": small_text.LightweightCoreset,
    "discriminative": lambda: _Discriminative(_Discriminator, ITERATIONS),
    "cvirs": lambda: small_text.CategoryVectorInconsistencyAndRanking(pbar=None),
}
# name -> (class, parameters, what the student is called in its query)
ACTIVEML: dict[str, tuple[Any, dict[str, Any], str | None]] = {
    "margin": (activeml.UncertaintySampling, {"method": "margin_sampling"}, "clf"),
    "entropy": (activeml.UncertaintySampling, {"method": "entropy"}, "clf"),
    "least-confident": (activeml.UncertaintySampling, {"method": "least_confident"}, "clf"),
    "typiclust": (activeml.TypiClust, {}, None),
    "core-set": (activeml.CoreSet, {}, None),
    "prob-cover": (activeml.ProbCover, {}, None),
    "max-herding": (activeml.MaxHerding, {}, None),
    "badge": (activeml.Badge, {}, "clf"),
    "clue": (activeml.Clue, {}, "estimator"),
    "drop-query": (activeml.DropQuery, {}, "clf"),
    "contrastive": (activeml.ContrastiveAL, {}, "clf"),
    "falcun": (activeml.Falcun, {}, "clf"),
    "query-by-committee": (activeml.QueryByCommittee, {}, "ensemble"),
}


class _Student:
    """Our fitted head with the methods that small-text asks a classifier for."""

    def __init__(self, weights: Any, bias: Any, several: bool) -> None:  # noqa: FBT001
        self.weights, self.bias, self.several = weights, bias, several

    def probabilities(self, x: Any) -> Any:
        logits = x @ self.weights + self.bias
        if self.several:
            return 1 / (1 + np.exp(-logits))
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    def predict_proba(self, dataset: Any) -> Any:
        return self.probabilities(dataset.x)

    def embed(self, dataset: Any, return_proba: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002
        return (dataset.x, self.predict_proba(dataset)) if return_proba else dataset.x


class _Discriminator:
    """The factory and the classifier of discriminative learning: logistic regression."""

    @classmethod
    def new(cls) -> "_Discriminator":
        return cls()

    def fit(self, dataset: Any) -> "_Discriminator":
        self.model = LogisticRegression(C=30, max_iter=200).fit(dataset.x, dataset.y)
        return self

    def predict_proba(self, dataset: Any) -> Any:
        return self.model.predict_proba(dataset.x)


class _Given(SkactivemlClassifier):
    """Our fitted head as scikit-activeml's classifier; it is never fitted anew."""

    def __init__(self, student: Any = None, classes: Any = None) -> None:
        super().__init__(classes=classes)
        self.student = student
        self.classes_ = classes

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "_Given":  # noqa: N803
        raise NotImplementedError

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return self.student.probabilities(np.asarray(X)).astype(np.float64)

    def predict(self, X: Any) -> Any:  # noqa: N803
        return self.predict_proba(X).argmax(axis=1).astype(np.float64)


def _committee(classes: Any, seed: int) -> SklearnClassifier:
    """Ten logistic regressions of the student's strength, each on a bootstrap of the labels."""
    member = LogisticRegression(C=30, max_iter=200)
    bagged = BaggingClassifier(member, n_estimators=10, random_state=seed)
    return SklearnClassifier(bagged, classes=classes, random_state=seed)


class Worker:
    """Holds the pool and the strategies, which may remember what they found before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[tuple[str, int], Any] = {}
        self.x = np.load(folder / "encodings.npy", allow_pickle=False)

    def pick(self, strategy: str, n: int, seed: int) -> tuple[list[int], float]:
        """(rows, CPU seconds)."""
        names = ("labelled", "answers", "weights", "bias", "multi_label")
        labelled, answers, weights, bias, several = (
            np.load(self.folder / f"{name}.npy", allow_pickle=False) for name in names
        )
        np.random.seed(seed)  # noqa: NPY002 - what small-text draws from
        student = _Student(weights, bias, bool(several))
        library, _, name = strategy.partition(":")
        choose = self._small_text if library == "small-text" else self._activeml
        began = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(began) + LIMIT + 1, resource.RLIM_INFINITY))
        rows = choose(name, student, labelled, answers, n, seed)
        return [int(row) for row in rows], time.process_time() - began

    def _small_text(
        self, name: str, student: _Student, labelled: Any, answers: Any, n: int, _seed: int
    ) -> Any:
        y = csr_matrix(answers) if student.several else answers.argmax(axis=1)
        blank = np.zeros(len(self.x), dtype=np.int64)
        if student.several:
            blank = csr_matrix((len(self.x), answers.shape[1]), dtype=np.int64)
        data = SklearnDataset(self.x, blank, target_labels=np.arange(answers.shape[1]))
        free, known = np.flatnonzero(~labelled), np.flatnonzero(labelled)
        return SMALL_TEXT[name]().query(student, data, free, known, y, n=n)

    def _activeml(
        self, name: str, student: _Student, labelled: Any, answers: Any, n: int, seed: int
    ) -> Any:
        kind, parameters, called = ACTIVEML[name]
        if called and student.several:
            raise ValueError("scikit-activeml's classifiers know one label per item only")
        y = np.full(len(self.x), np.nan)
        y[labelled] = answers.argmax(axis=1)
        if (name, seed) not in self.made:
            self.made = {(name, seed): kind(random_state=seed, **parameters)}
        strategy = self.made[name, seed]
        given = {}
        if called == "ensemble":
            given = {called: _committee(np.arange(answers.shape[1]), seed)}
        elif called:
            clf = _Given(student=student, classes=np.arange(answers.shape[1]))
            given = {called: clf, "fit_clf" if called == "clf" else "fit_estimator": False}
        return strategy.query(self.x, y, batch_size=n, **given)


def main() -> None:
    warnings.simplefilter("ignore")
    worker = None
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        if worker is None or worker.folder != folder:
            worker = Worker(folder)
        try:
            rows, seconds = worker.pick(request["strategy"], request["n"], request["seed"])
            reply: dict[str, Any] = {"rows": rows, "seconds": seconds}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
