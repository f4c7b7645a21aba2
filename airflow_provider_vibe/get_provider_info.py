"""Provider metadata: what Airflow asks of the package. Imports nothing, so that asking costs nothing."""


def _option(description, default, kind="string", example=None):
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }


def get_provider_info():
    """Describe the provider, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-vibe",
        "name": "Vibe",
        "description": "Runs vibe-aigc content plans: a plan file becomes a DAG.",
        "integrations": [
            {
                "integration-name": "Vibe",
                "tags": ["ai"],
            }
        ],
        "operators": [
            {
                "integration-name": "Vibe",
                "python-modules": [
                    f"airflow_provider_vibe.operators.{kind}"
                    for kind in ("analyze", "generate", "transform", "validate", "composite", "replan")
                ],
            }
        ],
        "sensors": [
            {"integration-name": "Vibe", "python-modules": ["airflow_provider_vibe.sensors.feedback"]}
        ],
        "bundles": [{"integration-name": "Vibe", "python-modules": ["airflow_provider_vibe.dag.bundle"]}],
        "cli": ["airflow_provider_vibe.cli.definition.get_vibe_cli_commands"],
        "config": {
            "vibe": {
                "description": "How plans are read and run.",
                "options": {
                    "missing_tool": _option(
                        "What becomes of a node that names no tool and whose type has no default one: "
                        "``fail`` (the plan does not load) or ``simulate`` (a result marked as simulated, "
                        "also in place of the model tools that ``default_tools`` has by default).",
                        "fail",
                    ),
                    "default_tools": _option(
                        "The tool of a node that names none, by type of node. JSON.",
                        '{"analyze": "llm_analyze", "generate": "llm_generate", '
                        '"transform": "llm_transform", "validate": "llm_validate"}',
                        example='{"generate": "llm_generate", "analyze": "keywords"}',
                    ),
                    "tool_factories": _option(
                        "Import paths, comma-separated, of callables that return tools or a registry.",
                        "",
                        example="my_company.tools.make_tools",
                    ),
                    "translator": _option(
                        "Import path of the class that derives a DAG's attributes from a plan.",
                        "airflow_provider_vibe.dag.translator.PlanTranslator",
                        example="my_company.vibe.OurTranslator",
                    ),
                    "llm_conn_id": _option("The connection of the model tools.", "vibe_llm"),
                    "llm_timeout": _option("Seconds that one request to a model may take.", "300", "float"),
                    "llm_pools": _option(
                        "The pool of the nodes that ask a model, by connection, where the plan names none. "
                        "JSON. Create the pool first (``airflow pools set``): tasks of a pool that is not "
                        "there never run.",
                        "",
                        example='{"vibe_llm": "vibe_llm"}',
                    ),
                    "default_retries": _option("Retries of a node whose plan says nothing.", "2", "integer"),
                    "default_retry_delay": _option(
                        "Seconds before the first retry of a node whose plan says nothing; "
                        "grows exponentially.",
                        "30",
                        "float",
                    ),
                    "timeout_factor": _option(
                        "A node without a timeout may take its ``estimated_duration`` this many times, "
                        "and at least 60 seconds.",
                        "10",
                        "float",
                    ),
                    "quality_threshold": _option(
                        "Below this quality, 0.0 to 1.0, the feedback suggests a replan.", "0.7", "float"
                    ),
                    "budget_reserve_tokens": _option(
                        "Tokens that a plan's budget sets aside for the answer of a model call "
                        "that states no ``max_tokens``.",
                        "4000",
                        "integer",
                    ),
                    "artifacts_path": _option(
                        "Where files and large results go: a path that all workers share, or an object "
                        "storage URL. Empty: ``vibe_artifacts`` in AIRFLOW_HOME.",
                        "",
                        example="s3://aws_default@my-bucket/vibe",
                    ),
                    "xcom_max_bytes": _option(
                        "A node's result of more bytes than this goes to ``artifacts_path``; XCom holds a "
                        "reference to it and a preview.",
                        "49152",
                        "integer",
                    ),
                    "files_path": _option(
                        "The folder of the input files that ``read_file`` may read: a path that all workers "
                        "share, or an object storage URL. Empty: none.",
                        "",
                        example="/srv/plans/files",
                    ),
                    "allowed_hosts": _option(
                        "The hosts that ``http_get`` and ``feed_read`` may talk to, comma-separated, with or "
                        "without a port; ``*.example.org``: all below it; ``*``: all. A host that is listed "
                        "by its own name or address may be a private one. Empty: every public host.",
                        "",
                        example="*, intranet.example:8080",
                    ),
                    "max_plan_bytes": _option("Bytes of a plan file.", "1048576", "integer"),
                    "max_nodes": _option("Nodes in a plan.", "2000", "integer"),
                    "max_depth": _option("Levels of nodes in a plan.", "32", "integer"),
                    "max_edges": _option("Dependencies in a plan.", "100000", "integer"),
                    "max_id_length": _option("Characters of an id.", "200", "integer"),
                    "max_string_length": _option("Characters of any one text in a plan.", "20000", "integer"),
                },
            }
        },
    }
