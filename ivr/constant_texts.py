"""The texts of flows that are always the same, in the languages in which callers hear them. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from ivr.program import Program, branches_of, pieces_of, places
from ivr.speaking import Speech, spoken
from model.flows import Node, PlayText, PlayVariable, SetLanguage, SubFlow

FIRST = "0"


def constant_texts(programs: Mapping[str, Program], entered: Iterable[str]) -> list[Speech]:
    """Of the flows named `entered`, and of those that they lead to. Each once: those near the beginning first.

    A language in which nothing but variables is spoken has one text, too: the first one takes a voice longest.
    """
    found: dict[tuple[str, str], Speech] = {}
    begun = [(name, programs[name].flow.start, programs[name].flow.language) for name in entered]
    seen = set(begun)
    varying: set[str] = set()
    # It grows while it is walked.
    for name, node_id, language in begun:
        program = programs[name]
        node = program.nodes.get(node_id)
        if node is None:
            continue
        short = language.partition("-")[0]
        for text in _texts(node):
            made = spoken(text, short)
            found.setdefault((text, made.language), made)
        if _has_varying(node):
            varying.add(short)
        following = node.language if isinstance(node, SetLanguage) else language
        leads = [(name, to or program.flow.exit, following) for _, to, _ in branches_of(node)]
        if isinstance(node, SubFlow) and node.flow in programs:
            leads.append((node.flow, programs[node.flow].flow.start, language))
        for lead in leads:
            if lead not in seen:
                seen.add(lead)
                begun.append(lead)
    silent = varying - {language for _, language in found}
    return [*found.values(), *(Speech(FIRST, language) for language in sorted(silent))]


def _texts(node: Node) -> Iterator[str]:
    for _, pieces in pieces_of(node):
        for piece in pieces:
            if isinstance(piece, PlayText) and not places(piece.text) and piece.text.strip():
                yield piece.text.strip()


def _has_varying(node: Node) -> bool:
    return any(
        (isinstance(piece, PlayText) and bool(places(piece.text)))
        or (isinstance(piece, PlayVariable) and piece.read == "text")
        for _, pieces in pieces_of(node)
        for piece in pieces
    )
