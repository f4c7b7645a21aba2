"""VibeAnalyzeOperator."""

from __future__ import annotations

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import NodeType


class VibeAnalyzeOperator(VibeNodeOperator):
    """Runs a node of type ``analyze``: it looks at what is there."""

    node_type = NodeType.ANALYZE
    ui_color = "#e8f1fb"
