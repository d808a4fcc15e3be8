"""Runs the unit tests of a source tree, less those that do not apply.

usage: python nyx-units.py LEFT_OUT TESTS FOLDER...

Run in the tree, by the Python that was built for the image. TESTS is the folder of the tests; they
may import from each FOLDER. LEFT_OUT has a line for each test that does not apply: its name, then
why.
"""

import importlib.util
import re
import signal
import sys
import unittest

left_out, tests, *sys.path[:0] = sys.argv[1:]
sys.path.insert(0, '.')

with open(left_out) as lines:
    names = {line.split()[0] for line in lines if line.split() and not line.startswith('#')}
met = set()

# what Python 3.12 took away, and what stem's own runner adds
case = unittest.TestCase
case.assertEquals = case.assertEqual
case.assertRaisesRegexp = case.assertRaisesRegex
case.assertRaisesWith = lambda self, kind, text, *call, **more: self.assertRaisesRegex(
    kind, '^%s$' % re.escape(text), *call, **more)

# as nyx's own runner does: its tests do not wait for what is drawn
if importlib.util.find_spec('nyx'):
    import nyx
    nyx.PAUSE_TIME = 0.000001


def each(suite):
    """The tests of a suite, less those left out."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        elif test.id() in names:
            met.add(test.id())
        else:
            yield test


def run(chosen):
    """Runs tests; tells those that did not pass."""
    result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.TestSuite(chosen))
    return [test.id() for test, _ in result.errors + result.failures]


def load():
    return list(each(unittest.defaultTestLoader.discover(tests, pattern='*.py', top_level_dir='.')))


everything = load()
failed = run(everything)
# Some give a thread twenty milliseconds, which a busy machine does not: those, alone, again.
for _ in range(10):
    if failed:
        failed = run(test for test in load() if test.id() in failed)
# One of stem's tests sets an alarm that it never cancels. If it rang while Python shuts down, it
# would end the process as if it had failed.
signal.alarm(0)
print('%i run, %i left out' % (len(everything), len(met)))
sys.exit(bool(failed) or len(everything) < 100)
