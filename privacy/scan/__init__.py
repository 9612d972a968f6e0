"""Search for identifiers in whatever the toolkit has written.

The scanner is the second net: nothing relies on it to keep data private, and tests rely on it to
prove that the first net held. It reads every byte of every file, and every file and folder name.
"""

from privacy.scan.containers import ScanIncomplete
from privacy.scan.scanner import Known, Leak, LeakScanner, find_leaks

__all__ = ["Known", "Leak", "LeakScanner", "ScanIncomplete", "find_leaks"]
