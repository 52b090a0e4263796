"""Words for right, left and both in the languages of radiology departments, and what only looks like one.

Three kinds of words, from safe to doubtful:

    anywhere   ``right``, ``izquierda``: mean a side in every text
    company    Czech ``leve``, Turkish ``sag``: mean a side only in a text that names the knee in their language
    beside     ``R``, ``li``, ``dx``: mean a side only next to a word for the knee of their language

How well they do is measured on a list of descriptions with their truth, ``tests/data/side_descriptions.csv``.
"""

# ruff: noqa: RUF001 - words of many scripts
from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from monai_xray2mri.types import Side

Sides = tuple[Side, ...]

BOTH: Final[Sides] = (Side.RIGHT, Side.LEFT)
_R: Final[Sides] = (Side.RIGHT,)
_L: Final[Sides] = (Side.LEFT,)

_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def fold(text: str) -> str:
    """A text in small letters and without accents."""
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS_WITHOUT_DECOMPOSITION))
    return unicodedata.normalize("NFC", "".join(letter for letter in folded if not unicodedata.combining(letter)))


def _words(right: str, left: str, both: str = "") -> dict[str, Sides]:
    """Folded word to its sides, from three texts."""
    return {fold(word): sides for text, sides in ((right, _R), (left, _L), (both, BOTH)) for word in text.split()}


def _set(text: str) -> frozenset[str]:
    """The folded words of a text."""
    return frozenset(fold(text).split())


ANYWHERE: Final[Mapping[str, Sides]] = _words(
    # the languages of western Europe, of the north, of the Slavs in Latin letters, others, and Cyrillic
    "right rt rechts rechte rechter rechtes rechten rechtem rechtsseitig droit droite derecha derecho dcha dcho drcha "
    "drcho destra destro direita direito dret dreta dextra dextrum dextro dexter dextrae dreapta hojre hoyre oikea "
    "oikean prawe prawy prawa prawego prawej pravy prave prava praveho vpravo desno desni desna desnog kanan desinys "
    "desine desinio rknee правый правая правое правого правой правом прав справа правий правої дясно дясна дясната "
    "дясното десно десни δεξι δεξια δεξιο δεξιου δεξιας δεξιων",
    "left lt links linke linker linkes linken linkem linksseitig gauche izquierda izquierdo izda izdo izq izqda izqdo "
    "sinistra sinistro sinistrum sinister sinistrae esquerda esquerdo esquerre esquerra vanster venstre vasen "
    "vasemman lewe lewy lewa lewego lewej vlevo lijevo lijevi lijeva lijevog kiri kairys kaire kairio lknee левый "
    "левая левое левого левой левом лев слева лівий ліва ліве лівого лівої ляво лява лявата лявото αριστερο αριστερη "
    "αριστερα αριστερου αριστερων",
    "bilateral bilat bilaterally bilaterale bilaterales bilateralt bilaterais bilateralno bilateralna bilateraux "
    "beidseits beidseitig beids bds bdz beide beider beiden beiderseits beiderzijds tweezijdig ambas ambos ambedue "
    "entrambe entrambi ambele ambii utrumque begge obu oba obustronne obustronnie obie oboustranne obojstranne "
    "obostrano molemmat molemmin kedua mindket bothknees оба обе обоих обеих обох двусторонний двусторонняя "
    "двусторонне двустранно αμφω αμφοτερα αμφοτεροπλευρα",
)
"""Words that mean a side wherever they stand."""

ACCENTED: Final[Mapping[str, Sides]] = {
    **dict.fromkeys(("sağ", "höger", "högra"), _R),
    **dict.fromkeys(("levý", "levá", "levé", "levého", "ľavý", "ľavé", "ľavá", "ľavého", "stângă", "stâng"), _L),
    **dict.fromkeys(("båda", "obě"), BOTH),
}
"""Words that mean a side with their accents; without them they are words of other languages, too (``leve``: mild)."""


@dataclass(frozen=True)
class Language:
    """Words of one language, or of several that spell them alike; all folded.

    Attributes:
        knee: finds the knee in a word.
        beside: mean a side next to a word for the knee.
        company: mean a side in a text that names the knee.
    """

    knee: re.Pattern[str]
    beside: Mapping[str, Sides]
    company: Mapping[str, Sides]


def _language(knee: str, beside: tuple[str, ...] = ("", ""), company: tuple[str, ...] = ("", "")) -> Language:
    return Language(re.compile(knee), _words(*beside), _words(*company))


LANGUAGES: Final[tuple[Language, ...]] = (
    _language(r"knee|^tk[ra]s?$", ("r", "l", "both bl bil")),  # English
    _language(r"knie", ("r re", "l li", "bs")),  # German, Dutch
    _language(r"genou", ("d dt dte drt", "g gch gche ghe", "bil")),  # French
    _language(r"rodilla", ("d der dch", "i iz", "bil")),  # Spanish
    _language(r"ginocchi", ("d dx dex des", "s sx sn sin", "bil")),  # Italian
    _language(r"joelho", ("d dir dto dta", "e esq", "bil")),  # Portuguese
    _language(r"genoll", ("d", "e")),  # Catalan
    _language(  # Swedish, Danish, Norwegian
        r"^kn(a|æ|e)(t|et|r|n|en|na|ne|led|leden|leddet)?$", ("h ho hgr dx", "v va ve vstr sin", "bil"), ("hoger", "")
    ),
    _language(r"kolan", ("p pr", "l lew")),  # Polish
    _language(  # Czech, Slovak, Slovene, Croatian, Serbian
        r"kolen|koljen",
        ("p pr d", "l lev"),
        ("", "leve levy leva leveho lave lavy lava laveho levo levi levega", "obe"),
    ),
    _language(
        r"polvi|polve|^polv$", ("o oik", "v vas"), ("parem parema", "vasak vasaku", "molemad")
    ),  # Finnish, Estonian
    _language(r"^terd", ("j jo", "b bo"), ("jobb jobboldali", "bal baloldali")),  # Hungarian
    _language(r"^diz(i|in|ler|leri)?$", ("", ""), ("sag", "sol", "iki")),  # Turkish
    _language(r"genunchi", ("dr dp", "stg st"), ("drept dreptul", "stang stanga stangul")),  # Romanian
    _language(r"^genus?$", ("d dx dex", "s sx sin sn")),  # Latin
    _language(r"колен|колін|колян|^кол$", ("п пр", "л")),  # Russian, Ukrainian, Bulgarian, Serbian
    _language(r"γονατ", ("δε δεξ", "αρ αριστ")),  # Greek
    _language(r"^goi$", ("p", "t"), ("phai", "trai", "hai")),  # Vietnamese
    _language(r"^(zuo|you|shuang)?xi(guanjie)?$", ("you", "zuo", "shuang")),  # Chinese in Latin letters
    _language(r"^hiza$", ("", ""), ("migi", "hidari", "ryo")),  # Japanese in Latin letters
    _language(r"lutut"),  # Indonesian, Malay
)

KNEE_SIGNS: Final = re.compile("膝|ひざ|ヒザ|무릎|슬관절|ركبة|ركبت|زانو|ברך|ברכי|घुटन|เข่า")
"""The knee in scripts without spaces or with inflection inside of words."""

_KOREAN_SIDE = r"(?<![가-힣])%s(?=\s*[)\]]|\s*무릎|\s*슬)"
_RIGHT_SIGNS = "右|오른|우측|우슬|" + _KOREAN_SIDE % "우" + "|يمنى|يمين|أيمن|ايمن|راست|ימין|ימני|दाय|दाए|दाई|दाहिन|ขวา"
_LEFT_SIGNS = "左|왼|좌측|좌슬|" + _KOREAN_SIDE % "좌" + "|يسرى|يسار|أيسر|ايسر|چپ|שמאל|बाय|बाए|बाई|ซ้าย"
_BOTH_SIGNS = (
    "[両兩双雙](?:側|侧|膝|下肢|下腿|大腿|足|脚|腿|肢|方|ひざ|ヒザ)|양측|양쪽|양슬|"
    + _KOREAN_SIDE % "양"
    + "|كلتا|الركبتين|ركبتين|הברכיים|שתי ברכיים|דו.?צדדי|दोनो|ทั้งสอง|สองข้าง"
)
SIGNS: Final[tuple[tuple[re.Pattern[str], Sides], ...]] = (
    (re.compile(_RIGHT_SIGNS), _R),
    (re.compile(_LEFT_SIGNS), _L),
    (re.compile(_BOTH_SIGNS), BOTH),
)
"""Words for a side in such scripts, found inside of longer texts."""

VIEWS: Final = _set("ap pa lat lateral frontal")
NEUTRAL: Final = VIEWS | _set(
    "view views xr xray ray dx dr cr rx x v standing stand wb weight bearing erect supine sitting flexion flex fixed "
    "oblique obl tunnel rosenberg joint only side and und et y e en og och ja im stehen stehend seitl seitlich eb "
    "ebenen belastet gelenk charge debout carga pie carico sob i med face profil profile vorne guan jie stav staw "
    "сустав суст и"
)
"""What may stand between a word for the knee and the abbreviation of its side."""

OTHER_PARTS: Final = _set(
    "hip hips ankle ankles foot feet shoulder elbow wrist hand hands spine femur tibia fibula hufte sprunggelenk fuss "
    "schulter hanche cheville pied epaule cadera tobillo hombro anca caviglia spalla quadril tornozelo"
)
"""A side next to one of these words is none of the knee, if the same text gives the knee a side of its own."""

_SIDE = r"(?:left|right|l|r)"
NO_SIDES: Final = re.compile(
    "|".join(
        (
            r"\b[rlw]\s?/\s?o\b",  # rule out, without
            r",\s?rt\s?\(\s?r\s?\)|\br\.\s?t\.",  # a technologist's title
            r"\bup[ -]right\b|\bright[ -](?:side|way)[ -]up\b",
            r"\bright[ -]angled?\b|\bangle droit\b|\brechte[nmrs]? winkel\b",
            r"\bright (?:away|now|after|before)\b|\ball right\b",
            r"\b(?:left|right)[ -]?hand(?:ed|edness| side)\b|\b(?:to|on) the (?:left|right) of\b|\b(?:left|right) of\b",
            r"\b(?:left|right) (?:border|edge|corner|margin)\b",
            r"\bleft (?:over|behind|early|blank|out|open|untreated|unchanged|ama|against|without|as is|the)\b",
            r"\b(?:was|were|been|be|being|cast|splint|brace|dressing|plaster|bandage|orthosis|hardware|drain|wires?|pins?|"
            r"screws?|marker|clothes|trousers|pants|metal|zip|zipper) left\b",
            r"\b(?:patient|pt)(?: has| refused)? left\s*$",
            r"\bnot (?:the )?(?:left|right)\b",
            rf"\b{_SIDE}(?:\s?[/-]\s?| to ){_SIDE} (?:flip|mirror|swap|invert|revers)\w*",
            rf"\b(?:flipped|mirrored|swapped|reversed) {_SIDE}(?:\s?[/-]\s?| to ){_SIDE}\b",
            rf"\b{_SIDE} to {_SIDE}\b",
            r"\bl[ -]?(?:/\s?s)?[ -]?spine\b",
            r"\bre\s?:",  # regarding
            "左右(?:反転|反轉|反转|翻转|翻轉|逆|入替|入れ替え)",
        )
    )
)
"""What looks like a side and is none; small letters, with accents."""

REWRITTEN: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\ba(?:[./-]|\. )p\b\.?"), " ap "),
    (re.compile(r"\bp(?:[./-]|\. )a\b\.?"), " pa "),
    (
        re.compile(r"\bb\s?[/.\\-]\s?l\b\.?|\b(?:2|two) knees\b|\b(?:2|deux) genoux\b|\b2 (?:knie|knien)\b"),
        " bilateral ",
    ),
    (re.compile(r"\b(?:les|las|os|i) (?:2|deux|dos|dois|due) (?:genoux|rodillas|joelhos|ginocchi)\b"), " bilateral "),
)
"""Several words that mean one."""
