from airflow_provider_vibe import load_vibe_dags

load_vibe_dags(globals(), "plans")
