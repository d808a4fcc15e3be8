"""Lists the modules nyx can reach, by reading the import statements of everything it imports.

usage: python closure.py STDLIB NYX STEM LEFT_OUT

Run by the Python the image's libpython comes from, which knows what is built in. Prints sorted lines
`builtin NAME`, `frozen NAME` (inside libpython) and `py NAME` (to be shipped). An import inside a
function counts like one at the top. LEFT_OUT names the modules not to follow; one that nothing
asks for is an error, so that the list stays as short as it can be.
"""

import _imp
import ast
import os
import sys

stdlib, nyx, stem, left_out = sys.argv[1:]

# where it starts: nyx, and what the interpreter imports without an import statement
ROOTS = ('nyx', '_strptime', 'codecs', 'encodings', 'encodings.aliases', 'encodings.ascii',
         'encodings.hex_codec', 'encodings.latin_1', 'encodings.utf_8', 'io', 'traceback', 'zipimport')

with open(left_out) as lines:
    cut = {line.split('#')[0].strip() for line in lines} - {''}


def find(name):
    """A module's source, if there is one."""
    for top in (stem, nyx, stdlib):
        for ending in ('/__init__.py', '.py'):
            path = os.path.join(top, name.replace('.', '/') + ending)
            if os.path.isfile(path):
                return path
    return None


def parents(name):
    """`a.b.c` gives `a.b.c`, `a.b`, `a`."""
    while name:
        yield name
        name = name.rpartition('.')[0]


def imports(name, path):
    """What a module's import statements ask for."""
    package = name if path.endswith('/__init__.py') else name.rpartition('.')[0]
    with open(path, 'rb') as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ''
            if node.level:
                above = package.split('.')[:len(package.split('.')) - node.level + 1]
                base = '.'.join(above + ([base] if base else []))
            yield base
            yield from (sub for sub in ('%s.%s' % (base, alias.name) for alias in node.names) if find(sub))


kinds, met, todo = {}, set(), list(ROOTS)
while todo:
    wanted = todo.pop()
    stop = cut.intersection(parents(wanted))
    if stop:
        met |= stop
        continue
    for name in parents(wanted):
        if name in kinds:
            continue
        path = find(name)
        if name in sys.builtin_module_names:
            kinds[name] = 'builtin'
        elif _imp.is_frozen(name):
            kinds[name] = 'frozen'
        elif path:
            kinds[name] = 'py'
        else:
            continue  # of another system or another Python: absent from every build like this one
        if path and kinds[name] != 'builtin':
            todo.extend(imports(name, path))

if cut - met:
    sys.exit('left out, but nothing asks for it: %s' % ' '.join(sorted(cut - met)))
for name, kind in sorted(kinds.items(), key=lambda item: (item[1], item[0])):
    print(kind, name)
