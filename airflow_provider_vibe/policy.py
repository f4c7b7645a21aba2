"""What this provider adds to Airflow's cluster policies; every `import airflow` loads it, so it is tiny."""

from airflow.policies import hookimpl


@hookimpl
def dag_policy(dag):
    """Let the Code tab show the plan itself, not the Python that loads it."""
    plan_file = getattr(dag, "vibe_plan_file", None)
    if plan_file is not None:
        dag.fileloc = plan_file
