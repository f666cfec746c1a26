"""Memory is bounded by tiles, not by what a file holds or claims."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator

import pytest

from tests.reliability.peak import MIB, peak
from tests.reliability.tool import Tool

LARGE = 320 * MIB


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    """A folder with a BF16 matrix of zeros that takes no room on the disk, and what it becomes."""
    found = Tool(tmp_path_factory.mktemp("memory"))
    shape = [LARGE // 2 // 4096, 4096]
    header = {"embed.weight": {"dtype": "BF16", "shape": shape, "data_offsets": [0, LARGE]}}
    text = json.dumps(header).encode()
    path = found.folder / "large"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + LARGE)
    assert found.run("quantize", "large", "--bits", "2", "-o", "small").code == 0
    yield found
    shutil.rmtree(found.folder)  # hundreds of megabytes, which pytest would keep for a while


@pytest.mark.parametrize(
    "arguments",
    [
        ["quantize", "large", "--bits", "4", "--group-size", "64"],
        ["prune", "large", "--structure", "2of4"],
        ["prune", "large", "--sparsity", "0.5", "--scope", "global"],
        ["restore", "small"],
    ],
    ids=["quantize", "prune", "global", "restore"],
)
def test_a_tensor_larger_than_the_limit_goes_through(tool: Tool, arguments: list[str]) -> None:
    used = peak(tool, *arguments, "--max-memory", "150MiB", "-o", "out", "-f")
    assert used < 150 * MIB, f"{used / MIB:.0f} MiB"


def test_by_default_it_stays_well_under_200_mib(tool: Tool) -> None:
    used = peak(tool, "quantize", "large", "--bits", "4", "-o", "out", "-f")
    assert used < 200 * MIB < LARGE, f"{used / MIB:.0f} MiB"


def test_what_is_only_measured_is_bounded_too(tool: Tool) -> None:
    arguments = ["plan", "large", "--compare", "W8A16,NF4", "--measure", "--max-memory", "150MiB"]
    used = peak(tool, *arguments)
    assert used < 150 * MIB, f"{used / MIB:.0f} MiB"
    assert not (tool.folder / "large.w8a16.safetensors").exists()


def test_headers_take_no_memory_for_the_data(tool: Tool) -> None:
    for arguments in (["inspect", "large"], ["plan", "large", "--compare", "W4A16,W8A16"]):
        used = peak(tool, *arguments)
        assert used < 64 * MIB, f"{used / MIB:.0f} MiB"


def test_statistics_and_differences_are_bounded_too(tool: Tool) -> None:
    for arguments in (["inspect", "--stats", "large"], ["diff", "large", "small"]):
        used = peak(tool, *arguments, "--max-memory", "150MiB")
        assert used < 150 * MIB, f"{used / MIB:.0f} MiB"


@pytest.mark.parametrize("claimed", [10**8 - 1, 10**8, 2**40, 2**63])
def test_a_length_that_a_file_only_claims_costs_nothing(tool: Tool, claimed: int) -> None:
    path = tool.folder / "claims"
    path.write_bytes(claimed.to_bytes(8, "little") + b'{"a":')
    used = peak(tool, "inspect", "claims", code=3)
    assert used < 64 * MIB, f"{used / MIB:.0f} MiB"
