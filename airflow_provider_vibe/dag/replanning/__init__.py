"""The DAG ``vibe_replan``: what a run suggests becomes the next revision of its plan, if a person consents.

:mod:`airflow_provider_vibe.replan` decides; here are the tasks that ask it, ask the person, and act.
"""
