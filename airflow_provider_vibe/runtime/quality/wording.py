"""How texts sound that are no work: refusals, questions back, filler, blanks. Regular expressions.

They are matched with the case and the composition of letters taken out (``phrases.folded``) and with straight
apostrophes. Where one language writes as another does, one expression serves both.
"""

from __future__ import annotations

OPENING = 400
"""Characters at the beginning of a text in which a refusal or a question back would stand."""

REFUSALS = (
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?]{0,40}\bi(?:'m| )",
    r"\bi(?:'m| am) (?:just |only )?an? (?:ai|artificial intelligence|(?:large )?language model)\b",
    r"\bi (?:can(?:no|')t|can not|am unable to|am not able to|won't|will not) (?:help|assist|comply|fulfil)",
    r"\bi'm (?:unable|not able) to (?:help|assist|comply|fulfil|view|see|access|open)",
    r"\bi (?:don't|do not) (?:have (?:the ability to|real-time|access to (?:real-time|current|the internet))|"
    r"feel comfortable (?:writing|creating|generating|providing))",
    r"\bals (?:ki|künstliche intelligenz|sprachmodell)\b[^.!?]{0,40}\bich\b",
    r"\bals ki-?\w+[^.!?]{0,40}\bich\b",
    r"\b(?:ich kann|kann ich)\b[^.!?]{0,60}\bnicht (?:weiter)?helfen",
    r"\ben tant (?:que|qu')(?: |une? )*(?:modele|modèle|ia|intelligence|assistant)\b[^.!?]{0,60}\bje\b",
    r"\bje (?:ne peux|ne suis) pas (?:en mesure de )?(?:vous|t')\s?aider",
    r"\bcomo (?:un |una )?(?:modelo|ia|inteligencia|asistente|inteligência|assistente)\b[^.!?]{0,60}\bn[oã]o?\b",
    r"\bno puedo (?:ayudar|cumplir|atender)",
    r"\bnão posso (?:ajudar|atender|cumprir)",
    r"\bcome (?:un |una )?(?:modello|ia|intelligenza|assistente)\b[^.!?]{0,60}\bnon\b",
    r"\bnon posso (?:aiutar|soddisfare)",
    r"\bals (?:ai|taalmodel)\b[^.!?]{0,40}\bik\b",
    r"\bik kan\b[^.!?]{0,40}\bniet (?:mee )?helpen",
    r"(?:ai|人工知能)?言語モデル(?:として|であ|です)|(?:お応え|お答え|対応|お手伝い)(?:は|することは?)?できません",
    r"作为(?:一个|一名)?(?:ai|人工智能|大?型?语言模型)|(?:我|抱歉|对不起)[^。！？]{0,12}无法(?:提供|满足|完成|回答|协助|帮助)",
)
"""Alone enough."""

INABILITY = (
    r"\bi (?:can(?:no|')t|can not|am unable to|am not able to|won't be able to)\b|\bi'm (?:unable|not able) to\b",
    r"\b(?:ich kann|kann ich)\b[^.!?]{0,80}\bnicht\b",
    r"\bje ne (?:peux|suis) pas\b|\bje ne saurais\b",
    r"\bno (?:puedo|dispongo|tengo acceso)\b|\bnão (?:posso|tenho acesso)\b|\bnon (?:posso|sono in grado)\b",
    r"\bik kan\b[^.!?]{0,60}\bniet\b",
    r"できません|できかねます|无法|不能",
)
"""Enough together with ASKS_BACK, or with one of APOLOGIES and, in the same sentence, one of WORK."""

APOLOGIES = (
    r"\bsorry\b|\bapologi[sz]e\b|\bunfortunately\b",
    r"\bleider\b|\btut mir leid\b",
    r"\bdésolée?\b|\bmalheureusement\b|\bregrette\b",
    r"\blo siento\b|\blamento\b|\blamentablemente\b|\bdesculpe\b|\binfelizmente\b|\bmi dispiace\b|\bpurtroppo\b",
    r"\bspijt me\b|\bhelaas\b",
    r"申し訳|すみません|抱歉|对不起",
)

_MATERIAL = r"(?:\w+ ){0,3}(?:texts?|articles?|content|details?|information|topic|subject|document|input|context|requirements)\b"

WORK = (
    r"\b(?:create|write|generate|produce|answer|summari[sz]e|translate|describe)\b",
    rf"\b(?:provide|complete) {_MATERIAL}",
    r"\b(?:schreiben|erstellen|verfassen|beantworten|übersetzen|zusammenfassen)\b",
    r"\b(?:rédiger|générer|écrire|traduire|résumer|répondre|créer)\b",
    r"\b(?:redactar|generar|escribir|traducir|resumir|responder|crear)\b",
    r"\b(?:escrever|gerar|redigir|traduzir|criar|scrivere|generare|tradurre|creare|rispondere)\b",
    r"\b(?:schrijven|maken|vertalen|beantwoorden|samenvatten)\b",
    r"書く|作成|生成|翻訳|回答|要約|撰写|创建|翻译|总结",
)
"""What a model is asked to do."""

ASKS_BACK = (
    rf"\bplease (?:provide|paste|share|send|upload|specify|enter)(?: me)?(?: with)? {_MATERIAL}",
    r"\bplease (?:send|give|tell|show|provide) me\b|\bplease let me know (?:what|which|how|the|more)\b",
    r"\b(?:could|can|would) you (?:please )?(?:tell|give|send|show) me\b",
    rf"\b(?:could|can|would) you (?:please )?(?:provide|paste|share|specify|clarify) {_MATERIAL}",
    r"\bif you (?:could )?(?:give|provide|share|send|tell) me\b|\bonce (?:i have|you (?:share|provide|send))\b",
    r"\bbitte (?:geben|nennen|teilen|senden|schicken) sie mir\b|\bbitte (?:gib|nenn|teil|send|schick)e? mir\b",
    r"\bbitte fügen sie (?:den|die|das|ihren) (?:text|inhalt|artikel)\b",
    r"\bveuillez me\b|\bveuillez (?:fournir|coller|partager|préciser) (?:le|la|les|plus|votre)\b",
    r"\bpo(?:urriez|uvez)[- ]vous me (?:fournir|partager|indiquer|envoyer|préciser|donner|dire)\b",
    r"\b(?:indíca|proporcióna|compárte|envía|pása|fornéce|envie-|forneça-)me\b|\bpor favor,? dime\b",
    r"\bpor favor,? (?:proporciona|comparte|pega|forneça|envie|cole) (?:el|la|los|más|o|os|mais)\b",
    r"\b(?:fornisci|condividi|indica|invia)mi\b|\bgeef (?:me|mij)\b",
    r"(?:教えて|ご提供|お知らせ|共有して)(?:いただ|くだ)|请(?:提供|告诉我|分享|粘贴)",
)
"""Asks for what it was to work on. A model says "me"; a shop that writes to its customers says "us"."""

ASSURANCES = (
    r"\A\W*(?:sure|certainly|of course|absolutely|gladly|happy to|i(?:'d| would) be happy to)\b",
    r"\A\W*(?:(?:sehr )?gerne?|natürlich|klar|selbstverständlich)\b",
    r"\A\W*(?:bien s[uû]r|avec plaisir|certainement|volontiers)\b",
    r"\A\W*(?:claro|por supuesto|con (?:mucho )?gusto|com certeza|certo|certamente|volentieri|natuurlijk)\b",
    r"\A\W*(?:もちろん|承知|かしこまりました|当然|好的)",
)
"""How an answer to a person begins; together with ASKS_BACK it brought nothing but talk."""

_FIELD = (
    r"(?:names?|titles?|company|customer|client|recipient|reader|sender|product|brand|address|location|city|date|"
    r"price|amount|weight|size|link|url|e-?mail|phone|topic|hashtag|keyword|number|description|image|logo|benefit|"
    r"feature|text|signature|position|department|"
    r"firma|kunde|kundin|anrede|adresse|datum|preis|ort|produkt|thema|"
    r"nom|prénom|entreprise|client|adresse|prix|lieu|produit|sujet|"
    r"nombre|empresa|cliente|dirección|fecha|precio|lugar|producto|tema)"
)
_FILL = (
    r"(?:insert|add|enter|fill|replace|your|placeholder|todo|tbd|x{2,}|"
    r"ihr|ihre?n?|dein|deine?n?|hier|einfügen|platzhalter|"
    r"insérer|insérez|ajouter|votre|vos|compléter|remplir|"
    r"insertar|inserte|inserta|añadir|tu|su|completar|rellenar)"
)

BLANKS = (
    rf"\[(?:{_FILL}\b[^\[\]\n]{{0,80}}|[^\[\]\n]{{0,40}}\bhere|à compléter|[^\[\]\n]{{0,40}}\beinfügen)\](?![(:])",
    rf"\[(?:\w+ ){{0,2}}{_FIELD} ?\d{{0,2}}\](?![(:\[])",
    rf"<(?:{_FILL})\b[^<>\n]{{0,80}}>",
    rf"\((?:{_FILL})\b[^()\n]{{0,60}}\b(?:here|hier|ici|aquí)\)",
    r"\{\{\s*\w[^{}\n]{0,60}\}\}|\$\{\w[^{}\n]{0,60}\}|\{(?:your|ihr|votre|tu)_?\w+\}|%%?[a-z]+_[a-z_]+%%?",
    rf"\byour {_FIELD} (?:goes |comes )?here\b|\b(?:text|inhalt) hier einfügen\b|\b(?:votre|tu|su) text[oe] (?:ici|aquí)\b",
    r"^[^\w\n]*(?:insert|add|enter|your) (?:\w+ ){0,3}here[^\w\n]*$",
    r"\b(?:todo|fixme|tbd)\s*:|(?:^|[:\-*|]\s*)(?:todo|fixme|tbd)\s*(?:$|[.|])",
)
"""Something to be filled in."""

FILLER = frozenset(
    [
        "lorem",
        "ipsum",
        "dolor",
        "sit",
        "amet",
        "consectetur",
        "adipiscing",
        "elit",
        "sed",
        "eiusmod",
        "tempor",
        "incididunt",
        "ut",
        "labore",
        "dolore",
        "magna",
        "aliqua",
        "enim",
        "minim",
        "veniam",
        "quis",
        "nostrud",
        "exercitation",
        "ullamco",
        "laboris",
        "nisi",
        "aliquip",
        "commodo",
        "consequat",
        "duis",
        "aute",
        "irure",
        "reprehenderit",
        "voluptate",
        "velit",
        "esse",
        "cillum",
        "fugiat",
        "nulla",
        "pariatur",
        "excepteur",
        "sint",
        "occaecat",
        "cupidatat",
        "non",
        "proident",
        "culpa",
        "qui",
        "officia",
        "deserunt",
        "mollit",
        "anim",
        "id",
        "est",
        "laborum",
    ]
)
"""The words of the filler text that printers have used since the sixteenth century."""

DANGLING = frozenset(
    [
        "the",
        "an",
        "and",
        "because",
        "und",
        "oder",
        "weil",
        "dass",
        "eine",
        "einen",
        "einem",
        "et",
        "les",
        "une",
        "el",
        "los",
        "las",
        "una",
        "del",
    ]
)
"""Words after which no sentence ends."""
