#!/usr/bin/env bash
# PoseBusters 0.6.5 with RDKit 2026.9.1, Python 3.11, Linux x86-64.
#
# A check of one molecule turns all channels of RDKit's log on, whatever state they were in. Code that silences RDKit
# for a block, with rdBase.BlockLogs, is loud again from the first check on, until the block ends: a program that
# checks thousands of generated molecules inside such a block prints a line for every later molecule that RDKit cannot
# sanitise. Importing PoseBusters alone changes nothing.
#
# Seen, messages about the valence of a pentavalent carbon that is sanitised within BlockLogs:
#   before the import:                    0
#   after the import:                     0
#   after a check of ethanol in the block: 1
#   in a new block:                       0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q rdkit==2026.9.1 posebusters==0.6.5
"$work/env/bin/python" - << 'PY'
import os
import sys
import tempfile

from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

pentavalent = Chem.MolFromSmiles("FC(F)(F)(F)F", sanitize=False)
ethanol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
rdDistGeom.EmbedMolecule(ethanol, randomSeed=7)


def messages_within_a_block(work):
    """Lines on stderr about a valence, of work and a failing sanitisation within BlockLogs."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            with BlockLogs():
                work()
                try:
                    Chem.SanitizeMol(Chem.Mol(pentavalent))
                except Chem.MolSanitizeException:
                    pass
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
        file.seek(0)
        return sum("valence" in line for line in file.read().decode().splitlines())


found = {"before the import": messages_within_a_block(lambda: None)}
from posebusters import PoseBusters  # noqa: E402

found["after the import"] = messages_within_a_block(lambda: None)
checks = PoseBusters("mol_fast")
found["after a check of ethanol in the block"] = messages_within_a_block(
    lambda: checks.bust([ethanol])
)
found["in a new block"] = messages_within_a_block(lambda: None)
for name, count in found.items():
    print(f"{name}: {count}")
assert list(found.values()) == [0, 0, 1, 0], found
PY
echo "as described"
