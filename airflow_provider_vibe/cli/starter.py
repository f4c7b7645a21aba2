"""The plan that `airflow vibe new` writes."""

STARTER = """\
# A plan: a tree of nodes. Airflow runs each as a task, as soon as all it depends on is done.
# Try it:  airflow vibe run NAME.vibe.yaml --param topic=coffee
id: QUOTED  # names the plan; becomes the DAG

source_vibe:  # the intent behind it
  description: A short post on ${params.topic}
  style: warm, factual
  # constraints: [under 600 words]
  # domain: text

# When it runs by itself; left out, only when triggered.
# schedule: {cron: "0 7 * * 1", timezone: Europe/Berlin, start_date: 2026-01-05}

params:  # the form of "Trigger": a JSON Schema each
  topic:
    type: string
    default: tea
    description: What to write about

# How Airflow runs every node that does not say otherwise with `run`; seconds.
# defaults: {retries: 2, retry_delay: 30, timeout: 600}

root_nodes:
  - id: draft  # unique in the whole plan; becomes the task
    type: generate  # analyze, generate, transform, validate, or composite (holds others)
    description: Write the first lines on ${params.topic}
    parameters:
      # The tool that does the work. A node that names none asks a model (llm_generate, llm_analyze, ...).
      tool: template_fill
      tool_inputs:
        template: "There is nothing like {topic} in the morning. It is warm, and it waits for nobody."
        values: {topic: "${params.topic}"}

  - id: study
    type: composite  # does no work of its own: its children do, side by side
    description: Look at the draft from two sides
    dependencies: [draft]  # waits for these nodes, and all that is inside them
    children:
      - id: words
        type: analyze
        description: Find the words that matter
        parameters:
          tool: keywords
          tool_inputs: {text: "${nodes.draft.text}", top: 3}
      - id: length
        type: analyze
        description: Measure how long it takes to read
        parameters:
          tool: text_profile
          tool_inputs: {text: "${nodes.draft.text}"}

  - id: post
    type: transform
    description: Put the post together
    dependencies: [draft, study]
    parameters:
      tool: combine
      tool_inputs:
        pieces:
          - ${nodes.draft.text}
          - "Remember: ${nodes.words.text}"
          - "Reading time: ${nodes.length.reading_time_seconds} seconds"

  - id: check
    type: validate
    description: Hold the post against the rules of the house
    dependencies: [post]
    parameters:
      tool: text_rules
      tool_inputs: {min_words: 5, max_words: 600, required: ["${params.topic}"], strict: true}
"""
