from airflow_provider_vibe.dag.replanning.dag import replan_dag

dag = replan_dag()
