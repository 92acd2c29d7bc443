"""How a parameter is declared, and the types that several have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from wd14.parsing import check_home, parse_list, parse_pairs, parse_thresholds, tag_thresholds_text

TagList = Annotated[tuple[str, ...], BeforeValidator(parse_list)]
TagPairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(parse_pairs)]
ByCategory = Annotated[dict[str, float], BeforeValidator(parse_thresholds)]
ByTag = Annotated[str, BeforeValidator(tag_thresholds_text)]
PathText = Annotated[str, AfterValidator(check_home)]
Threshold = Annotated[float, Field(ge=0, le=1)]
Place = Literal["none", "first", "last"]


def parameter(default: Any, title: str, help_text: str, **bounds: Any) -> Any:
    """A parameter, with the title and the help text that the panel, the command line and info.md show."""
    return Field(default, title=title, description=help_text, **bounds)
