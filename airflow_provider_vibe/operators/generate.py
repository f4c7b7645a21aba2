"""VibeGenerateOperator."""

from __future__ import annotations

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import NodeType


class VibeGenerateOperator(VibeNodeOperator):
    """Runs a node of type ``generate``: it makes something new."""

    node_type = NodeType.GENERATE
    ui_color = "#eaf7ea"
