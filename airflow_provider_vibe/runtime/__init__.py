"""How one node runs, and what came of a run. Plain Python: nothing here knows of Airflow."""

from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeOutcome, NodeResult

__all__ = ["ExecutionResult", "ExecutionStatus", "NodeOutcome", "NodeResult"]
