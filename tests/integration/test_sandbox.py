"""The parser's process: its limits, what becomes of files that break it, and the real fixtures of people's files."""

import io
import json
import os
import random
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import psutil
import pytest

from retrieval.errors import (
    DocumentDamaged,
    DocumentEmpty,
    DocumentEncrypted,
    DocumentError,
    DocumentTooLarge,
    DocumentUnsupported,
    ParserLimit,
)
from retrieval.ingestion.blocks import Limits
from retrieval.ingestion.parsing import ocr
from retrieval.ingestion.sandbox import Sandbox
from tests.unit.ingestion import samples

MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "200"))

WORD = re.compile(r"[^\W\d_]{3,}")
PLACE = re.compile(r"(.+)#page=(\d+)")

# How each fixture must end; every other one must be readable. A part of the trait's text decides.
ENDS: dict[str, type[DocumentError]] = {
    "old format": DocumentUnsupported,
    "mail": DocumentUnsupported,
    "rubbish": DocumentUnsupported,
    "path traversal": DocumentUnsupported,
    "encrypted": DocumentEncrypted,
    "no text": DocumentEmpty,
    "no cells": DocumentEmpty,
    "0 bytes": DocumentEmpty,
    "empty pages": DocumentEmpty,
    "zip bomb": DocumentTooLarge,
}
# Words that must be found in those that a trait makes hard to read.
FOUND = {
    "handbook-872p.docx": "STATUTORY DUTIES OF A STANDING TRUSTEE",
    "copy-protected.pdf": "Unified Toolkit for Deep Learning",
    "multicolumn.pdf": "adipiscing",
    "rotated-page-90.pdf": "Second line of text here",
    "korean-text-with-tables.pdf": "빅포인트",
    "test_mskanji.csv": "佐藤太郎",
    "umlauts-non-utf8.md": "äöüß",
    "fake-text-utf-32.txt": "This is a test document",
    "made_nul_and_control.txt": "27 days per year",
    "made_prompt_injection.md": "140 EUR",
    "docx-tables.docx": "|",
    "with-attachment.pdf": "Lorem ipsum",
    "MEDRPT-2024-PAT-3847_medical_report_scan.pdf": "SEATTLE GENERAL HOSPITAL",
    "loremipsum-flat.pdf": "Lorem ipsum dolor sit amet",
    "simple.odt": "favorite things",
    "test.epub": "Chapter 1: Test Content",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(Limits())
    yield made
    made.close()


@pytest.fixture
def limited() -> Iterator:
    made: list[Sandbox] = []

    def with_limits(**limits) -> Sandbox:
        made.append(Sandbox(replace(Limits(), **limits)))
        return made[-1]

    yield with_limits
    for each in made:
        each.close()


@pytest.fixture
def file(tmp_path: Path):
    def written(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return written


def text_of(sandbox: Sandbox, path: Path, name: str = "x") -> str:
    return " ".join(" ".join(block.text for block in sandbox.parse(path, name).blocks).split())


def test_a_file_is_parsed_as_in_the_same_process(sandbox, file):
    assert text_of(sandbox, file(samples.slides())).startswith("Benefits Dental care is covered.")


def test_an_error_comes_back_with_its_kind_and_reason(sandbox, file):
    with pytest.raises(DocumentEmpty, match="The file is empty"):
        sandbox.parse(file(b""), "x")


def test_one_process_parses_many_files(sandbox, file):
    path = file(b"Some text.")
    sandbox.parse(path, "x")
    first = sandbox._process.pid
    sandbox.parse(path, "x")
    assert sandbox._process.pid == first


def test_a_file_that_takes_too_long_is_stopped(limited, file):
    with pytest.raises(ParserLimit, match="too much time"):
        limited(wall_seconds=0.05).parse(file(samples.workbook(4000)), "x")


def test_a_file_that_takes_too_much_processor_time_is_stopped(limited, file):
    rows = "".join(f"<p>{'word ' * 50}</p>" for _ in range(20_000))
    with pytest.raises(ParserLimit, match="too much time"):
        limited(cpu_seconds=1).parse(file(f"<html><body>{rows}</body></html>".encode()), "x")


def test_the_empty_rows_of_a_sheet_cost_nothing(limited, file):
    """A program that gives whole columns a format writes the last row of a sheet, and hundreds of cells in it."""
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"] = "City", "Bonn"
    book.active.cell(1_048_576, 600).number_format = "0.00"
    made = io.BytesIO()
    book.save(made)
    assert text_of(limited(cpu_seconds=10), file(made.getvalue())).endswith("| Bonn |")


def test_a_file_that_takes_too_much_memory_is_stopped(limited, file):
    with pytest.raises(DocumentError, match=r"memory|damaged"):
        limited(memory_bytes=32 * 2**20).parse(file(b"<html><body>" + b"<p>x</p>" * 500_000), "x")


def test_after_a_limit_the_next_file_is_parsed(limited, file):
    sandbox = limited(memory_bytes=64 * 2**20)
    with pytest.raises(DocumentError):
        sandbox.parse(file(b"<html><body>" + b"<p>x</p>" * 500_000), "x")
    assert text_of(sandbox, file(b"Some text.")) == "Some text."


def test_a_parser_process_that_was_killed_is_replaced(sandbox, file):
    path = file(b"Some text.")
    sandbox.parse(path, "x")
    os.kill(sandbox._process.pid, signal.SIGKILL)
    assert text_of(sandbox, path) == "Some text."


def test_the_parser_process_ends_with_its_worker(file):
    sandbox = Sandbox(Limits())
    sandbox.parse(file(b"Some text."), "x")
    process = psutil.Process(sandbox._process.pid)
    sandbox._process.stdin.close()
    assert process.wait(timeout=10) is not None or not process.is_running()
    sandbox._process.stdin = None
    sandbox.close()


def test_the_parser_process_gets_no_secrets(sandbox, file):
    sandbox.parse(file(b"Some text."), "x")
    environment = psutil.Process(sandbox._process.pid).environ()
    assert not {"DATABASE_URL", "SECRET_KEY", "REDIS_URL"} & environment.keys()


def test_a_pdf_of_ten_thousand_pages_is_read(sandbox, file):
    pages = [[f"This is what page number {n} has to say to everyone."] for n in range(1, 10_001)]
    document = sandbox.parse(file(samples.pdf(pages)), "x")
    assert document.pages == 10_000
    assert document.blocks[-1].page == 10_000


def test_a_million_rows_end_with_a_reason(sandbox, file):
    with pytest.raises(DocumentTooLarge, match="more than 200,000 rows"):
        sandbox.parse(file(b"a,b\n" + b"1,2\n" * 1_000_000), "rows.csv")


def expected(trait: str) -> type[DocumentError] | None:
    if "no text layer" in trait and ocr.available():
        return None
    return next((error for part, error in ENDS.items() if part in trait), None)


@pytest.mark.data
def test_every_fixture_ends_as_a_person_would_expect(sandbox, shared_data):
    manifest = shared_data / "files" / "manifest.jsonl"
    entries = [json.loads(line) for line in manifest.read_text().splitlines()]
    wrong = []
    for entry in entries:
        name, wanted = entry["file"], expected(entry["trait"])
        try:
            text = text_of(sandbox, shared_data / "files" / name, name)
        except DocumentError as error:
            if name == "having-images.docx" and isinstance(error, DocumentEmpty):
                continue  # pictures alone
            if type(error) is not wanted or len(str(error)) < 15:
                wrong.append((name, entry["trait"], repr(error)))
        else:
            if wanted or FOUND.get(name, "") not in text:
                wrong.append((name, entry["trait"], text[:80]))
    assert not wrong


@pytest.mark.data
def test_the_pages_of_real_handbooks_are_those_of_their_pdfs(sandbox, shared_data):
    """The labelled passages of northwind are a page each: their words must be on our page of that number."""
    sets = shared_data / "retrieval" / "northwind_pages" / "corpus.jsonl"
    entries = [json.loads(line) for line in sets.read_text().splitlines()]
    pages: dict[tuple[str, int], set[str]] = {}
    for path in (shared_data / "docs" / "northwind").glob("*.pdf"):
        for block in sandbox.parse(path, path.name).blocks:
            pages.setdefault((path.name, block.page), set()).update(WORD.findall(block.text))
    shares = []
    for entry in entries:
        name, number = PLACE.search(entry["_id"]).groups()
        wanted = set(WORD.findall(entry["text"]))
        found = pages.get((name, int(number)), set())
        shares.append(len(wanted & found) / len(wanted))
    assert len(shares) == 263
    assert sum(shares) / len(shares) > 0.98
    assert min(shares) > 0.8


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file with a few bytes changed, a piece cut, doubled, or replaced by rubbish."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 20])):
        at = chance.randrange(len(changed))
        length = chance.choice([1, 1, 8, 200, 5000])
        match chance.randrange(5):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case 3:
                changed[at : at + length] = chance.randbytes(length)
            case 4:
                changed[at : at + 4] = chance.choice(
                    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"]
                )
        if not changed:
            return b""
    return bytes(changed)


def survive(sandbox: Sandbox, path: Path, originals: list[bytes], mutations: int) -> dict[str, int]:
    """Parses mutations of the files; how they ended, by kind. The parser process must be the same at the end."""
    chance = random.Random(7)
    path.write_bytes(b"Some text.")
    sandbox.parse(path, "x")
    process = sandbox._process.pid
    ends: dict[str, int] = {}
    reasons: set[str] = set()
    for number in range(mutations):
        path.write_bytes(mutated(originals[number % len(originals)], chance))
        try:
            document = sandbox.parse(path, "x")
            end = "ready"
            assert any(block.text.strip() for block in document.blocks)
        except DocumentError as error:
            end = type(error).__name__
            reasons.add(str(error))
        ends[end] = ends.get(end, 0) + 1
    assert sandbox._process.pid == process
    assert all(len(reason) > 10 for reason in reasons)
    return ends


def test_mutated_files_end_and_kill_no_parser(limited, tmp_path):
    """Run FUZZ_MUTATIONS=5000 for the full number."""
    originals = [samples.word(), samples.slides(), samples.workbook(), samples.book()]
    originals += [samples.pdf([["# Leave", "You get 25 days."]] * 3)]
    originals += [b"# Leave\n\n| a | b |\n|-|-|\n| 1 | 2 |\n" * 20]
    originals += [b"<html><body><table><tr><td>1</td></tr></table><ul><li>x</li></ul></body></html>" * 5]
    ends = survive(limited(wall_seconds=20.0), tmp_path / "file", originals, MUTATIONS)
    assert ends["ready"] > MUTATIONS / 10
    assert ends[DocumentDamaged.__name__] > MUTATIONS / 10


@pytest.mark.data
@pytest.mark.slow
def test_mutated_files_of_people_end_and_kill_no_parser(limited, tmp_path, shared_data):
    files = [path for path in sorted((shared_data / "files").iterdir()) if 0 < path.stat().st_size < 150_000]
    originals = [path.read_bytes() for path in files]
    ends = survive(limited(wall_seconds=20.0), tmp_path / "file", originals, MUTATIONS)
    assert ends["ready"] > MUTATIONS / 10
    assert ends[DocumentDamaged.__name__] > MUTATIONS / 50
