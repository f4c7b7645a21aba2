"""The tools that come with the provider. All but `llm_generate` work without a network."""

from __future__ import annotations

from airflow_provider_vibe.tools.base import Tool


def builtin_tools() -> list[Tool]:
    """The built-in tools. The libraries behind them are imported when a tool is called."""
    from airflow_provider_vibe.tools.builtin.combining import combine
    from airflow_provider_vibe.tools.builtin.files import write_file
    from airflow_provider_vibe.tools.builtin.llm import llm_generate
    from airflow_provider_vibe.tools.builtin.markdown import markdown_to_html
    from airflow_provider_vibe.tools.builtin.rules import text_rules
    from airflow_provider_vibe.tools.builtin.templates import template_fill
    from airflow_provider_vibe.tools.builtin.text import keywords, text_profile

    return [
        combine,
        keywords,
        llm_generate,
        markdown_to_html,
        template_fill,
        text_profile,
        text_rules,
        write_file,
    ]
