"""scikit-learn on engines: a search for the best parameters, through joblib.

    python examples/joblib_grid_search.py

Needs scikit-learn, which brings joblib along.
"""

from __future__ import annotations

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import ipyparallel as ipp

GRID = {"C": [0.1, 1.0, 10.0], "gamma": [1e-4, 1e-3, 1e-2]}


def main() -> None:
    """Classify images of digits with the best of nine classifiers."""
    images, digits = load_digits(return_X_y=True)
    with ipp.Cluster(n=2) as rc:
        rc.load_balanced_view().register_joblib_backend()
        with joblib.parallel_config("ipyparallel"):
            search = GridSearchCV(SVC(), GRID, cv=3, n_jobs=-1).fit(images, digits)
    print(f"Best of {len(search.cv_results_['params'])} classifiers: {search.best_params_}")
    print(f"It knows {search.best_score_:.1%} of the digits.")


if __name__ == "__main__":
    main()
