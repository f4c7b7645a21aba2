"""An Airflow of the benchmark's own, with nothing but the defaults."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def use_own_airflow_home() -> None:
    """Give this process and those it starts an empty AIRFLOW_HOME; call it before Airflow is imported."""
    home = tempfile.mkdtemp(prefix="vibe-bench-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
        AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    )
