"""Write the published JSON Schema of a release policy: ``python -m privacy.release docs/schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from privacy.release.policy import policy_schema

NAME = "vht-release-policy-1.json"


def schema_bytes() -> bytes:
    """The schema as it is published."""
    return (json.dumps(policy_schema(), indent=1) + "\n").encode()


if __name__ == "__main__":
    (Path(sys.argv[1]) / NAME).write_bytes(schema_bytes())
