"""What is left of upstream's compiled helpers of calix."""

import neckar
from calix.common.helpers import write_capmem_row
from neckar.chip.machine import MODEL_VERSION

__all__ = ["get_repo_state", "write_capmem_row"]


def get_repo_state() -> str:
    """Return the versions that a calibration depends on; upstream's is the state of its repository."""
    return f"neckar {neckar.__version__}, model {MODEL_VERSION}"
