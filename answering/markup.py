"""An answer in Markdown -> safe HTML. Answers are written by models and quote documents, so neither is
trusted: no raw HTML, no images (a picture's address can carry data out), no reference links, few schemes."""

import re
from collections.abc import Collection, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

TAGS = {"a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"}
TAGS |= {"p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"}
ATTRIBUTES = {
    "a": {"href", "class", "data-n", "rel", "target", "title"},
    "ol": {"start"},
}
ALIGNED = {"left", "center", "right"}
"""How a table's cell is aligned: a class, for the page's content policy forbids style attributes."""

CITATION = re.compile(r"\[(\d{1,4})\]")


def to_html(answer: str, cited: Collection[int]) -> str:
    """HTML of `answer`; each `[n]` with n in `cited` becomes a link to its source."""
    rendered = _MARKDOWN.render(answer, {"cited": frozenset(cited)})
    return nh3.clean(
        rendered,
        tags=TAGS,
        attributes=ATTRIBUTES,
        link_rel=None,
        url_schemes={"http", "https", "mailto"},
        allowed_classes={"td": ALIGNED, "th": ALIGNED},
    )


def _link_citations(state: StateCore) -> None:
    cited = state.env.get("cited", frozenset())
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = _with_citations(token.children, cited)


def _with_citations(children: Sequence[Token], cited: Collection[int]) -> list[Token]:
    linked: list[Token] = []
    inside_link = 0
    for child in children:
        inside_link += (child.type == "link_open") - (child.type == "link_close")
        if child.type != "text" or inside_link:
            linked.append(child)
            continue
        for i, piece in enumerate(CITATION.split(child.content)):
            if i % 2 and int(piece) in cited:
                linked.append(Token("citation", "a", 0, content=str(int(piece))))
            elif i % 2 or piece:
                linked.append(Token("text", "", 0, content=f"[{piece}]" if i % 2 else piece))
    return linked


def _render_citation(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    n = tokens[index].content
    return f'<a class="cite" href="#source-{n}" data-n="{n}">{n}</a>'


def _render_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    tokens[index].attrSet("rel", "noopener nofollow")
    tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _render_cell(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    style = str(tokens[index].attrs.pop("style", ""))
    if style:
        tokens[index].attrSet("class", style.removeprefix("text-align:"))
    return renderer.renderToken(tokens, index, options, env)


def _markdown() -> MarkdownIt:
    # Without the reference rule "[1]: text" stays text, and cannot turn every [1] into a link of its own
    # choosing.
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": False})
    markdown.enable(["table", "strikethrough"]).disable(["image", "reference", "html_block", "html_inline"])
    markdown.core.ruler.push("citations", _link_citations)
    markdown.add_render_rule("citation", _render_citation)
    markdown.add_render_rule("link_open", _render_link)
    markdown.add_render_rule("th_open", _render_cell)
    markdown.add_render_rule("td_open", _render_cell)
    return markdown


_MARKDOWN = _markdown()
