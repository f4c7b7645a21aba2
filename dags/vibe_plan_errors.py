from airflow_provider_vibe import raise_plan_errors  # Airflow only reads files that say "dag"

raise_plan_errors(globals(), "plans")
