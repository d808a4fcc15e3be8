"""Compiles the modules nyx needs and lays them out, the same bytes every time.

usage: python pack.py MODULES STDLIB NYX STEM OUT

A .pyc has neither a source nor a time in it (an unchecked hash), and its code names
the place it will have in the image, not the place it was compiled at.
"""

import importlib.util
import marshal
import os
import sys

modules, stdlib, nyx, stem, out = sys.argv[1:]
HOME = '/usr/local/lib/nyx'
DATA = (
    (nyx, 'nyx/settings/attributes.cfg'),
    (nyx, 'nyx/settings/dedup.cfg'),
    (stem, 'stem/settings.cfg'),
    (stem, 'stem/cached_manual.sqlite'),
    (stem, 'stem/interpreter/settings.cfg'),
    (stem, 'stem/util/ports.cfg'),
)


def source(name):
    """Where a module's source is, and its path in the image without the ending."""
    top = {'nyx': nyx, 'stem': stem}.get(name.partition('.')[0], stdlib)
    for inside in (name.replace('.', '/') + '/__init__', name.replace('.', '/')):
        path = os.path.join(top, inside + '.py')
        if os.path.isfile(path):
            return path, inside
    sys.exit('no source for %s' % name)


def compiled(path, inside):
    with open(path, 'rb') as file:
        text = file.read()
    code = compile(text, '%s/%s.py' % (HOME, inside), 'exec', dont_inherit=True, optimize=2)
    # a header that says: hash of the source, not to be checked
    return importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, 'little') + importlib.util.source_hash(text) + marshal.dumps(code)


files = {}
with open(modules) as lines:
    for line in lines:
        kind, name = line.split()[:2]
        if kind == 'py':
            path, inside = source(name)
            files[inside + '.pyc'] = compiled(path, inside)
for top, inside in DATA:
    with open(os.path.join(top, inside), 'rb') as file:
        files[inside] = file.read()

for inside, content in sorted(files.items()):
    path = os.path.join(out, inside)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)
