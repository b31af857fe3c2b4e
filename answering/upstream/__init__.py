"""A simulated OpenAI-compatible upstream: latencies and faults by option, equal draws by equal seeds.

Tests start it in-process (`async with SimulatedUpstream(...) as upstream`), benchmarks in another process.
"""

from answering.upstream.behaviour import Behaviour, Draw, draw
from answering.upstream.server import SimulatedUpstream

__all__ = ["Behaviour", "Draw", "SimulatedUpstream", "draw"]
