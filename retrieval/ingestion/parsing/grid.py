"""The cells of an HTML table in their columns, whatever spans what."""

from bs4 import BeautifulSoup, Tag

_MOST = 1000  # columns or rows that a cell may span, as browsers have it
_MAKER = BeautifulSoup("", "lxml")


def straighten(table: Tag) -> None:
    """Leaves nothing but rows in a table, the first of them first: what stands before it or around its rows (names of
    columns, bodies) hides from the converter which is its header. Its caption stands above it."""
    for foot in table.find_all("tfoot"):
        table.append(foot.extract())
    for caption in table.find_all("caption"):
        caption.name = "p"
        table.insert_before(caption.extract())
    for column in table.find_all("col"):
        column.unwrap()
    for around in table.find_all(["colgroup", "thead", "tbody", "tfoot"]):
        around.unwrap()


def align(table: Tag) -> None:
    """Puts an empty cell where one from above reaches down, else what follows stands under another's heading."""
    reaching: dict[int, int] = {}  # column -> rows that a cell above still takes
    for row in table.find_all("tr"):
        column = 0
        taken, reaching = reaching, {}
        for cell in row.find_all(["td", "th"], recursive=False):
            while taken.get(column):
                cell.insert_before(_MAKER.new_tag("td"))
                column = _passed(column, taken, reaching)
            rows = span(cell, "rowspan")
            for _ in range(span(cell, "colspan")):
                if rows > 1:
                    reaching[column] = rows - 1
                column += 1
        while any(rows and place >= column for place, rows in taken.items()):
            row.append(_MAKER.new_tag("td"))
            column = _passed(column, taken, reaching)


def _passed(column: int, taken: dict[int, int], reaching: dict[int, int]) -> int:
    if taken.get(column, 0) > 1:
        reaching[column] = taken[column] - 1
    return column + 1


def span(cell: Tag, name: str) -> int:
    """How many columns (`colspan`) or rows (`rowspan`) the cell takes."""
    stated = str(cell.get(name) or "1")
    return max(1, min(_MOST, int(stated))) if stated.isascii() and stated.isdigit() else 1
