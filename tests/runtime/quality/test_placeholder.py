"""What is no work, and what only speaks of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.runtime.quality.placeholder import placeholder_issue
from airflow_provider_vibe.runtime.quality.subject import Subject

TASK = "Write about the old mill by the river, and about its last miller"


def issue(text, **fields):
    return placeholder_issue(Subject(text, (TASK,), **fields))


PROSE = (
    "The mill stood by the river for two hundred years. Its wheel was made of oak, and every spring the"
    " miller changed three of its boards. He never changed more than three"
)

REFUSALS = [
    "I'm sorry, but I can't assist with that.",
    "I\u2019m sorry, but I can\u2019t help with this request.",
    "I cannot fulfill this request.",
    "As an AI language model, I don't have opinions.",
    "I'm sorry, but I can't write that text.",
    "Leider kann ich Ihnen dabei nicht helfen.",
    "Tut mir leid, ich kann diesen Text nicht schreiben.",
    "Als KI-Sprachmodell habe ich darauf keinen Zugriff, sodass ich passen muss.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Désolé, je ne peux pas répondre à cette demande.",
    "En tant que modèle de langage, je n'ai pas d'avis.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Lo siento, no puedo generar ese contenido.",
    "Como modelo de lenguaje, no tengo opiniones.",
    "Mi dispiace, ma non posso aiutarti.",
    "Desculpe, mas não posso ajudar com isso.",
    "Het spijt me, maar ik kan je daar niet mee helpen.",
    "申し訳ございませんが、お手伝いできません。",
    "抱歉\uff0c我无法提供相关内容。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusal(text):
    assert issue(text) == "it is a refusal"


@pytest.mark.parametrize("text", REFUSALS)
def test_refusal_that_is_quoted_is_none(text):
    quoting = f'The clerk looked up and read aloud: "{text}" Then she laughed, and wrote the letter by hand.'
    assert issue(quoting) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Could you please provide the text you would like me to translate?",
        "Sehr gerne! Bitte teilen Sie mir den Text mit, den ich übersetzen soll.",
        "Bien sûr ! Veuillez me fournir le texte à traduire.",
        "¡Claro! Por favor, indícame el nombre del hotel.",
    ],
)
def test_asking_back_is_no_work(text):
    assert issue(text) == "it asks back instead of doing the work"


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("Dear [Name], thank you.", "[name]"),
        ("Best, [Your Company]", "[your company]"),
        ("We sell [insert product here].", "[insert product here]"),
        ("Hallo [Name des Kunden, hier einfügen], danke.", "[name des kunden, hier einfügen]"),
        ("Bonjour, [votre nom].", "[votre nom]"),
        ("Hola [Nombre], gracias.", "[nombre]"),
        ("Hello {{first_name}}, welcome.", "{{first_name}}"),
        ("Hello ${user}, welcome.", "${user}"),
        ("<insert benefit here> and more", "<insert benefit here>"),
        ("A song (your lyrics here)", "(your lyrics here)"),
        ("Your text here", "your text here"),
        ("TODO: describe the mill", "todo:"),
        ("TBD", "tbd"),
        ("INSERT TEXT HERE", "insert text here"),
    ],
)
def test_blank(text, blank):
    assert issue(text) == f"it has a blank to be filled in: {blank}"


def test_filler_but_not_a_text_about_it():
    assert (
        issue("Lorem ipsum dolor sit amet, consectetur adipiscing elit.") == "it is filler text (lorem ipsum)"
    )
    assert (
        issue("Printers fill pages with lorem ipsum, so that nobody reads on and all look at the type.")
        is None
    )


@pytest.mark.parametrize(
    "text",
    [
        "The mill turns. " * 12,
        "the mill turns and " * 15,
        "这盏台灯非常好用。" * 8,
        f"{PROSE}. In the year of the flood all four were loose, and he went out alone. "
        + "It turned. " * 40,
    ],
)
def test_repetition(text):
    assert "repeats itself" in issue(text)


def test_refrain_is_no_repetition():
    verses = ["Lamps go by like beads on a string", "A man with flowers, half asleep", "The heater hums"]
    assert issue("\n\n".join(f"{verse},\nlast train, last train, take me home." for verse in verses)) is None


@pytest.mark.parametrize(
    "text", [TASK, TASK.upper(), f"# Task\n\n{TASK}.", f"Sure, here it is: {TASK}! {TASK}, {TASK}."]
)
def test_task_told_back(text):
    assert issue(text) == "it tells the task back"


def test_text_that_names_its_task_is_work():
    assert issue(f"{TASK}: so said the note. But there was no mill, and no one knew the man.") is None
    assert issue("The old mill by the river") is None


@pytest.mark.parametrize(
    "text",
    [
        "The wheel was made by the",
        f"{PROSE}, because the river",
        "# Title\n\n```python\nprint(1)",
        "毎朝、水車が回ります。"
        "川のそばに古い小屋があり、粉を挽く音がします。冬になると氷が張りますが、老人はそれでも毎日小屋へ通って火を",
    ],
)
def test_cut_off(text):
    assert "it is cut off" in issue(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{PROSE}.",
        f"{PROSE}: 'Three', he said, 'is enough.'",
        f"{PROSE}.\n\nKind regards,\nPiet and the whole team of the mill",
        f"{PROSE}. Come and see #mill #river",
        f"{PROSE}.\n\n- oak\n- three boards. And a nail or two for the wheel",
        "Warm coats at half price",
        f"{PROSE}.\n\nThe last of them was Joe. He left\nhis shoes below the stair\nand nobody knows where",
        "no footprints as yet\nonly the post box has grown\na tall white hat",
    ],
)
def test_open_end_that_is_no_cut(text):
    assert issue(text) is None


def test_what_a_model_says_of_its_end_counts():
    assert issue("All is well.", is_truncated=True) == "the model was cut off at its token limit"


def test_texts_inside_json_are_looked_at():
    assert "lorem" in issue('{"a": ["Lorem ipsum dolor sit amet"], "b": 5}')
    assert issue('{"a": ["A mill"], "b": 5}') is None


@pytest.mark.parametrize("text", ["...", "—", "[]", "🙂"])
def test_text_without_words(text):
    assert issue(text) == "it has no words"


@pytest.mark.parametrize(
    "text",
    [
        "I can't write about my father without a smile. He built boats, and sang while he did so.",
        "I'm sorry for the long silence! The shop was closed because of the flood, but we are back.",
        "As an AI model grows, it needs more data, and the price of a training run doubles each year.",
        "[Music fades in]\nHOST: Welcome back. [laughs] Today we talk about names.",
        "See the [docs](https://a.b/name) and [Your first DAG](https://a.b).",
        "Please provide your own towels. The sauna is open from ten to ten.",
        "Of course you can return it! Please send us the parcel within 30 days.",
        "Dear Tom, I'm sorry, but I cannot provide a refund. Please answer this mail.",
        "No puedo escribir sobre Asturias sin hablar de la lluvia. Aquí llueve de lado.",
        "Ich kann den Herbst nicht beschreiben, ohne an Pilze zu denken.",
        "In Jinja, `{{ name }}` is replaced:\n\n```\nHello {{ name }}\n```",
        "The TODO view shows what is due. A todo list is a promise.",
    ],
)
def test_false_alarms(text):
    assert issue(text) is None


@given(st.text())
def test_any_text_can_be_looked_at(text):
    assert issue(text) is None or issue(text)


@pytest.mark.parametrize("end", ["", "x", "!x"])
@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        "```\n",
        "```x\n",
        " ",
        "a ",
        "[",
        "lorem",
        "lorem ",
        ".",
        "_",
        "!)",
        "https://",
        "#a",
        "%a_",
        "x- ",
        "字",
    ],
)
def test_a_megabyte_of_anything_takes_no_time_to_speak_of(unit, end):
    began = time.process_time()
    issue(unit * (1_000_000 // len(unit)) + end)
    assert time.process_time() - began < 2  # less than one; but machines are not alike


def test_of_a_very_long_text_the_beginning_and_the_end_count():
    words = " ".join(str(number) for number in range(100_000))
    assert issue(words) is None
    assert issue(f"{words} todo: write it") == "it has a blank to be filled in: todo:"
    assert issue(f"Todo: write it. {words}") == "it has a blank to be filled in: todo:"


@pytest.mark.parametrize(
    ("text", "is_code"),
    [
        ("```\n[your name]\n```", True),
        ("```python\n[your name]\n```  \n", True),
        ("```\na\n```python\n[your name]\n```", True),
        ("```\na\n```\n[your name]\n```\nb\n```", False),
        ("```\n[your name]\n", False),
        ("```\na\n```\n```x\n[your name]\n", False),
    ],
)
def test_code_is_what_stands_between_two_fences(text, is_code):
    found = issue(f"The old mill stands by the river.\n{text}\nIts wheel was made of oak.")
    assert (found != "it has a blank to be filled in: [your name]") is is_code
