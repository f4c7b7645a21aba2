"""VibeCompositeOperator."""

from __future__ import annotations

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import NodeType


class VibeCompositeOperator(VibeNodeOperator):
    """Closes a composite: runs when every node inside is done, and gathers what they made."""

    node_type = NodeType.COMPOSITE
    ui_color = "#ece8f7"
