"""What is said to a model, and to which. Apart from `streams.py`, so that who only writes prompts need not load the
model's client."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Upstream:
    """An OpenAI-compatible server and the model to ask for. `name` labels its metrics and its breaker."""

    name: str
    base_url: str
    api_key: str = field(repr=False)
    model: str


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str
