"""VibeTransformOperator."""

from __future__ import annotations

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import NodeType


class VibeTransformOperator(VibeNodeOperator):
    """Runs a node of type ``transform``: it turns one thing into another."""

    node_type = NodeType.TRANSFORM
    ui_color = "#fdf3e1"
