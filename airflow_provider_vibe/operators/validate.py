"""VibeValidateOperator."""

from __future__ import annotations

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import NodeType


class VibeValidateOperator(VibeNodeOperator):
    """Runs a node of type ``validate``: it checks what was made."""

    node_type = NodeType.VALIDATE
    ui_color = "#fbeaf0"
