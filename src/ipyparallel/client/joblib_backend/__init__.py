"""The backend of joblib: what `ipyparallel.register_joblib_backend` registers."""
