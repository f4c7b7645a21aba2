"""From what a run has taught to the next revision of its plan: proposals, diffs, decisions, applying.

Plain Python, nothing of Airflow: what asks a person and what triggers a run is built on it elsewhere.
"""
