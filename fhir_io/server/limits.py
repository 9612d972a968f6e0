"""Bounds on what a server may make us wait for, hold or write."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Times in seconds, sizes in bytes after unpacking. A server that goes beyond one is an error.

    The defaults are choices of this project, wide enough for large hospital servers.
    """

    connect: float = 15.0
    """to open a connection"""
    silence: float = 30.0
    """without a single byte"""
    answer: float = 120.0
    """until the last byte of an answer's headers"""
    slowest: float = 1024.0
    """bytes a second, on average, that a body must bring once ``patience`` is over"""
    patience: float = 60.0
    document: int = 64 * _MIB
    """a page, a manifest, a token"""
    file: int = 64 * 1024 * _MIB
    """one file of a bulk export"""
    line: int = 64 * _MIB
    """one line, that is one resource, of a bulk export"""
    pages: int = 100_000
    """of one search"""
    repeats: int = 20
    """pages in a row that bring only what the same search has brought before"""
    files: int = 1_000_000
    """of one bulk export"""
    redirects: int = 5
    attempts: int = 6
    """at one request"""
    first_wait: float = 1.0
    """before the second attempt; doubles from there, with jitter"""
    longest_wait: float = 300.0
    """cap of every wait, also of one that Retry-After asks for"""
    export: float = 24 * 3600.0
    """from the kick-off of a bulk export until its manifest"""
    part: int = 256 * _MIB
    """at which a file of the raw folder is closed and the next one begun"""
