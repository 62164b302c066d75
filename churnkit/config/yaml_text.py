"""YAML in and out by the rules of YAML 1.2, with duplicate keys, aliases and tags refused by line.

PyYAML follows YAML 1.1, in which ``no`` is false, ``010`` is eight, ``12:30`` is 750 and ``1e-3`` is
text. A configuration follows the core schema of YAML 1.2 instead, where each is what it looks like.
Dates stay text; the key they belong to reads them.
"""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["dump_flow", "dump_yaml", "parse_yaml"]

_TAG = "tag:yaml.org,2002:"
_ODD_BREAK = re.compile("[\r\x85\u2028\u2029]")
_CORE_SCHEMA = {
    "null": (re.compile(r"^(~|null|Null|NULL|)$"), "~nN\0"),
    "bool": (re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "int": (re.compile(r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), "-+0123456789"),
    "float": (
        re.compile(
            r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"
        ),
        "-+.0123456789",
    ),
}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return the core schema as PyYAML wants it: by first character, in order of precedence."""
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, (pattern, first) in _CORE_SCHEMA.items():
        for character in first:
            table.setdefault("" if character == "\0" else character, []).append(
                (_TAG + name, pattern)
            )
    return table


class _Loader(yaml.SafeLoader):
    """Reads plain values by YAML 1.2 and notes what is wrong with keys."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.faults: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # not in the stubs
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            rule = "aliases (*name) and tags (!name) are not supported; write the value out"
            raise yaml.composer.ComposerError(None, None, rule, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping; a key given twice keeps its first value and is noted as a fault."""
        found: dict[Hashable, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                self.faults.append(f"line {line}: key {key!r} must be text; put it in quotes")
            elif key in lines:
                self.faults.append(
                    f"line {line}: key {key!r} is given twice, first in line {lines[key]}"
                )
            else:
                lines[key] = line
                found[key] = self.construct_object(value_node, deep=deep)
        return found

    def construct_core_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number; a leading zero does not make it octal."""
        text = str(self.construct_scalar(node))
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)

    def construct_core_float(self, node: yaml.ScalarNode) -> float:
        """Return a number, also one with an exponent and no point."""
        text = str(self.construct_scalar(node)).lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_Loader.yaml_implicit_resolvers = _resolvers()
_Loader.add_constructor(_TAG + "int", _Loader.construct_core_int)
_Loader.add_constructor(_TAG + "float", _Loader.construct_core_float)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would take for something other than text."""

    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out each time."""
        del data
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Escape the line breaks that YAML would read back as other ones."""
        return self.represent_scalar(
            _TAG + "str", text, style='"' if _ODD_BREAK.search(text) else None
        )


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.yaml_implicit_resolvers = {
    first: [*_resolvers().get(first, []), *yaml.SafeDumper.yaml_implicit_resolvers.get(first, [])]
    for first in {*_resolvers(), *yaml.SafeDumper.yaml_implicit_resolvers}
}


def dump_flow(value: object) -> str:
    """Return a plain value as YAML on one line.

    Examples
    --------
    >>> dump_flow({"windows_days": [30, 90]}), dump_flow("no"), dump_flow(None)
    ('{windows_days: [30, 90]}', "'no'", 'null')
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=inf,
        default_flow_style=True,
    )
    return text.removesuffix("...\n").strip()


def parse_yaml(text: str) -> tuple[object, list[str]]:
    r"""Return the value of a YAML text, and the faults of its keys in words.

    Raises
    ------
    ValueError
        If the text is not YAML; the message says in which line.

    Examples
    --------
    >>> parse_yaml("rate: 1e-3\nshop: no\nrate: 2")
    ({'rate': 0.001, 'shop': 'no'}, ["line 3: key 'rate' is given twice, first in line 1"])
    """
    try:
        loader = _Loader(text)
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        msg = f"{line}not valid YAML: {error.problem or error.context}"
        raise ValueError(msg) from None
    except yaml.YAMLError as error:
        msg = f"not valid YAML: {str(error).splitlines()[0]}"
        raise ValueError(msg) from None
    return value, loader.faults


def dump_yaml(value: object) -> str:
    """Return a plain value as YAML, keys in their order.

    Examples
    --------
    >>> print(dump_yaml({"shop": "no", "rate": 0.001, "last": None}), end="")
    shop: 'no'
    rate: 0.001
    last: null
    """
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
