"""Content items of structured reports."""

from __future__ import annotations

from pydicom import Dataset


def code(value: str, scheme: str = "99OAI", meaning: str = "meaning", keyword: str = "CodeValue") -> Dataset:
    """A coded entry; its value in CodeValue, LongCodeValue or URNCodeValue."""
    coded = Dataset()
    setattr(coded, keyword, value)
    coded.CodingSchemeDesignator, coded.CodeMeaning = scheme, meaning
    return coded


def item(value_type: str, concept: Dataset | None = None, *children: Dataset, **attributes: object) -> Dataset:
    """A content item with its children."""
    dataset = Dataset()
    dataset.ValueType = value_type
    if concept is not None:
        dataset.ConceptNameCodeSequence = [concept]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if children:
        dataset.ContentSequence = list(children)
    return dataset


def number(concept: Dataset, value: object, *children: Dataset, keyword: str = "NumericValue") -> Dataset:
    """A content item with a measured value, which stands in the attribute that is named."""
    measured = Dataset()
    setattr(measured, keyword, value)
    return item("NUM", concept, *children, MeasuredValueSequence=[measured])
