"""Writes launcher.c's table of built-in modules: those nyx reaches, and no other.

usage: python inittab.py MODULES CONFIG_C

MODULES has `builtin NAME` lines. CONFIG_C is CPython's generated Modules/config.c, which knows the
function of each module (NULL for one that is always there).
"""

import re
import sys

modules, config = sys.argv[1:]

with open(modules) as lines:
    wanted = {line.split()[1] for line in lines if line.startswith('builtin ')}
with open(config) as text:
    table = [entry for entry in re.findall(r'\{"([\w.]+)", (\w+)\},', text.read()) if entry[0] in wanted]

missing = wanted - {name for name, _ in table}
if missing:
    sys.exit('not built in: %s' % ' '.join(sorted(missing)))

for function in sorted({function for _, function in table} - {'NULL'}):
    print('extern PyObject *%s(void);' % function)
print('struct _inittab _PyImport_Inittab[] = {')
for name, function in table:
    print('    {"%s", %s},' % (name, function))
print('    {0, 0}\n};')
