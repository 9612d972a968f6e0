"""``vht keys``: make the key, replace it, give it into escrow, take it back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vht.commands.auditing import AuditLog, audited
from vht.commands.console import done

keys_app = typer.Typer(no_args_is_help=True, help="Keys that pseudonyms are made with.")

Keys = Annotated[Path, typer.Option(help="Folder of the keys and the vault. Keep it apart from the states.")]


class Pseudonyms(StrEnum):
    """How pseudonyms are made."""

    keyed = "keyed"
    random = "random"


def register(app: typer.Typer) -> None:
    """Add these commands to ``vht``."""
    app.add_typer(keys_app, name="keys")


@keys_app.command("init")
def init(
    keys: Keys,
    key: Annotated[
        str,
        typer.Option(
            help="Where the key lies: file:NAME in the folder, env:VARIABLE (hexadecimal or base64), or "
            "keyring:SERVICE."
        ),
    ] = "file:master.key",
    pseudonyms: Annotated[
        Pseudonyms, typer.Option(help="keyed: computed from the record number; random: drawn, for good.")
    ] = Pseudonyms.keyed,
    reidentifiable: Annotated[
        bool,
        typer.Option(
            "--reidentifiable", help="Keep identities in the vault, sealed, to name patients again."
        ),
    ] = False,
) -> None:
    """Make a new key. It is made once a project: another key gives other pseudonyms."""
    from privacy import create_keys

    create_keys(keys, key, pseudonyms=pseudonyms.value, reidentifiable=reidentifiable)
    done("a new key and an empty vault", keys)


@keys_app.command("rotate")
def rotate(
    keys: Keys,
    states: Annotated[
        list[Path], typer.Option(help="Folder of patient states made with these keys; may be repeated.")
    ],
    to: Annotated[
        str | None,
        typer.Option(help="Where the new key lies, as for init; beside the old one if not said."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Make no new key: rename the states that an earlier rotation left."),
    ] = False,
    audit: AuditLog = None,
) -> None:
    """Replace the key, and rename the patients in their states.

    Study numbers and days stay, so no simulation changes. Results made before keep the old pseudonyms; the
    keys still know whose they are. Make a new escrow afterwards.
    """
    from privacy import Pseudonymiser
    from privacy.rotation import rotate_keys
    from vht.store import Store, StoreError

    stores = [Store(folder) for folder in states]
    for store in stores:
        if not store.exists():
            raise StoreError(f"{store.folder} holds no patient states; name the folders of an import")
    with audited(audit, "rotate", "TRUST") as counts:
        if not resume:
            rotate_keys(keys, to)
        with Pseudonymiser.open(keys) as pseudonymiser:
            renamed = [store.rename(pseudonymiser.renamed) for store in stores]
            version = pseudonymiser.version
        counts.update(patients=sum(renamed), key_version=version)
    for store, count in zip(stores, renamed, strict=True):
        done(f"new pseudonyms for {count} patients (key version {version})", store.folder)


@keys_app.command("escrow")
def escrow(
    keys: Keys,
    to: Annotated[
        list[str], typer.Option(help="Public key of age (age1...) of who keeps it; may be repeated.")
    ],
    target: Annotated[Path, typer.Option("--out", help="File to write, apart from the keys.")],
    audit: AuditLog = None,
) -> None:
    """Write the key encrypted to people who keep it; each of them can open it alone."""
    from privacy.escrow import escrow_keys

    with audited(audit, "key-use", "TRUST", "escrow") as counts:
        escrow_keys(keys, to, target)
        counts.update(recipients=len(to))
    done(f"the key, encrypted to {len(to)}", target)


@keys_app.command("recover")
def recover(
    keys: Keys,
    source: Annotated[Path, typer.Option("--escrow", help="The file that `vht keys escrow` wrote.")],
    identity: Annotated[Path, typer.Option(help="File with a private key of age.")],
    audit: AuditLog = None,
) -> None:
    """Put a lost key back from its escrow, beside the vault from a backup."""
    from privacy.escrow import recover_keys

    with audited(audit, "recover", "TRUST"):
        recover_keys(keys, source, identity)
    done("the key", keys)
