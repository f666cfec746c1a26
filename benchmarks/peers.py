"""Other libraries on the same processor: what they take to quantize a matrix in memory, and we.

    python -m benchmarks.peers
    python -m benchmarks.peers --rows 8192 --rounds 9 --only nf4 --json peers.json

A job is a matrix of bfloat16 that becomes codes and scales, in the format that a library has: its
own call alone, without files and without the start of a process. In each round a library does the
job and then this tool does the same one, from bits to packed codes. What counts is the CPU time of
the process in all its threads, its median over the rounds. Libraries that are not installed are
left out. The table is in Markdown: gigabytes of input for each CPU second, and how many times as
fast this tool is. gguf takes float32 alone, which it gets; its speed is of as many bfloat16.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kernels import quantized, tiles, weights
from benchmarks.libraries import version_of
from compress_core.kernels.floats import widen
from compress_core.schemes.affine import Affine
from compress_core.schemes.base import Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.nf4 import Nf4
from modelopt_cli.allocator import keep_freed_memory

COLUMNS = 4096

Work = Callable[[], Any]
"""The job itself."""

Raw = NDArray[np.uint16]


@dataclass(frozen=True)
class Peer:
    """A job of a library.

    :ivar package: what is imported; ``distribution``: what is installed.
    :ivar prepare: bits of bfloat16 → the job, with all done beforehand that is no part of it.
    """

    distribution: str
    package: str
    job: str
    scheme: Scheme
    prepare: Callable[[Raw], Work]

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


@dataclass(frozen=True)
class Row:
    """Medians; speeds in 10⁹ bytes of bfloat16 for each CPU second."""

    library: str
    version: str
    job: str
    peer: float
    ours: float

    @property
    def said(self) -> str:
        """A row of the table."""
        named = f"{self.library} {self.version}"
        faster = self.ours / self.peer
        return f"| {named} | {self.job} | {self.peer:.3f} | {self.ours:.2f} | {faster:.1f} |"


def _tensor(raw: Raw) -> Any:
    import torch

    return torch.from_numpy(raw.view(np.int16)).view(torch.bfloat16)


def _torchao(configuration: Callable[[], Any]) -> Callable[[Raw], Work]:
    def prepare(raw: Raw) -> Work:
        import torch
        from torchao.quantization import quantize_

        weight = torch.nn.Parameter(_tensor(raw), requires_grad=False)

        def run() -> Any:
            layer = torch.nn.Linear(raw.shape[1], raw.shape[0], bias=False, device="meta")
            layer.weight = weight
            quantize_(layer, configuration())
            return layer

        return run

    return prepare


def _torchao_int4() -> Any:
    import torch
    from torchao.quantization import IntxWeightOnlyConfig, PerGroup

    return IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(128))


def _torchao_named(name: str) -> Callable[[], Any]:
    def configuration() -> Any:
        import torchao.quantization

        return getattr(torchao.quantization, name)()

    return configuration


def _bitsandbytes_nf4(raw: Raw) -> Work:
    from bitsandbytes.functional import quantize_4bit

    weight = _tensor(raw)
    return lambda: quantize_4bit(weight, blocksize=64, quant_type="nf4")


def _bitsandbytes_int8(raw: Raw) -> Work:
    from bitsandbytes.functional import int8_vectorwise_quant

    weight = _tensor(raw).half()  # the only dtype that it takes
    return lambda: int8_vectorwise_quant(weight)


def _compressed_tensors(kind: str, packing: str, bits: int, group: int | None) -> Any:
    def prepare(raw: Raw) -> Work:
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
        from compressed_tensors.quantization.utils import calculate_qparams

        weight, strategy = _tensor(raw), "group" if group else "channel"
        arguments = QuantizationArgs(num_bits=bits, type=kind, strategy=strategy, group_size=group)
        scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
        compressor = BaseCompressor.get_value_from_registry(packing)

        def run() -> Any:
            groups = weight.reshape(len(weight), -1, group or weight.shape[1])
            scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), arguments)
            state = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero}
            return compressor.compress(state, scheme)

        return run

    return prepare


def _mlx(bits: int) -> Callable[[Raw], Work]:
    def prepare(raw: Raw) -> Work:
        import mlx.core as mx

        weight = mx.array(raw).view(mx.bfloat16)
        mx.eval(weight)

        def run() -> Any:
            found = mx.quantize(weight, group_size=64, bits=bits)
            mx.eval(found)
            return found

        return run

    return prepare


def _gguf(kind: str) -> Callable[[Raw], Work]:
    def prepare(raw: Raw) -> Work:
        import gguf

        values = widen(raw, "BF16")
        wanted = getattr(gguf.GGMLQuantizationType, kind)
        return lambda: gguf.quants.quantize(values, wanted)

    return prepare


def peers() -> list[Peer]:
    """Everything that is measured."""
    int8, int4 = Integer(8, "channel"), Integer(4, 128, scale_dtype="BF16")
    fp8, nf4 = Fp8(8, "channel"), Nf4(4, 64)
    pack = "pack-quantized"
    return [
        Peer(
            "torchao",
            "torchao",
            "int8 channel",
            int8,
            _torchao(_torchao_named("Int8WeightOnlyConfig")),
        ),
        Peer("torchao", "torchao", "int4 g128", int4, _torchao(_torchao_int4)),
        Peer(
            "torchao",
            "torchao",
            "fp8 channel",
            fp8,
            _torchao(_torchao_named("Float8WeightOnlyConfig")),
        ),
        Peer("bitsandbytes", "bitsandbytes", "nf4 g64", nf4, _bitsandbytes_nf4),
        Peer("bitsandbytes", "bitsandbytes", "int8 channel", int8, _bitsandbytes_int8),
        *(
            Peer(
                "compressed-tensors", "compressed_tensors", job, scheme, _compressed_tensors(*given)
            )
            for job, scheme, given in (
                ("int8 channel", int8, ("int", pack, 8, None)),
                ("int4 g128", int4, ("int", pack, 4, 128)),
                ("fp8 channel", fp8, ("float", "float-quantized", 8, None)),
            )
        ),
        Peer("mlx", "mlx", "affine 8 bits g64", Affine(8, 64, scale_dtype="BF16"), _mlx(8)),
        Peer("mlx", "mlx", "affine 4 bits g64", Affine(4, 64, scale_dtype="BF16"), _mlx(4)),
        Peer("gguf", "gguf", "Q8_0 (int8 g32)", Integer(8, 32, scale_dtype="F16"), _gguf("Q8_0")),
        Peer("gguf", "gguf", "Q4_0 (int4 g32)", Integer(4, 32, scale_dtype="F16"), _gguf("Q4_0")),
    ]


def seconds(work: Work) -> float:
    """CPU time of this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measured(peer: Peer, raw: Raw, rounds: int) -> Row:
    """The medians of one job, in turns."""
    theirs, ours = peer.prepare(raw), quantized(peer.scheme)

    def own() -> None:
        for tile in tiles(raw):
            ours(tile)

    theirs()  # what is done once
    own()
    times = [(seconds(theirs), seconds(own)) for _ in range(rounds)]
    peer_s, own_s = (median(column) for column in zip(*times, strict=True))
    version = version_of(peer.distribution) or ""
    return Row(
        peer.distribution, version, peer.job, raw.nbytes / peer_s / 1e9, raw.nbytes / own_s / 1e9
    )


def rows(raw: Raw, rounds: int, only: str) -> Iterator[Row]:
    """Those of the libraries that are installed."""
    for peer in peers():
        if only in f"{peer.distribution} {peer.job}" and peer.is_installed:
            yield measured(peer, raw, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4096, help="of a matrix of 4096 columns")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="jobs whose library and name contain this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    asked = parser.parse_args()
    keep_freed_memory()  # as the tool does
    raw = weights(asked.rows * COLUMNS * 2 // 1024**2)
    found = list(rows(raw, asked.rounds, asked.only))
    print("| library | job | its, GB/s | ours, GB/s | ours / its |")
    print("|---|---|---|---|---|")
    print("\n".join(row.said for row in found))
    if asked.json:
        figures = [asdict(row) for row in found]
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
