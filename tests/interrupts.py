"""Interrupts (Ctrl-C) at every place where Python looks for them, one run for each place.

CPython raises KeyboardInterrupt only where it looks for signals: at the start of a function, after
a call of a function that is not written in Python, and at the end of each turn of a loop. A trace
function that raises there is a Ctrl-C that strikes at a chosen place, on every run the same.
"""

import dis
import gc
import sys
from collections import deque

LOOKS = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD"}


class Interrupter:
    """Calls a function and interrupts it at place number `at`; counts the places.

    With `inside`, a part of a path, only those in the functions of such a file and in what these
    call.
    """

    def __init__(self, at=None, inside=""):
        self.at, self.inside, self.places, self.where = at, inside, 0, None
        self.before = {}  # what each frame did last

    def __call__(self, function):
        outer, hook = sys.gettrace(), sys.unraisablehook
        # what an earlier interrupt left half made may be collected now: a hook without a frame
        sys.unraisablehook = deque(maxlen=0).append
        sys.settrace(self.trace)
        try:
            return function()
        finally:
            sys.settrace(outer)
            sys.unraisablehook = hook

    def trace(self, frame, event, _):
        if event == "call":
            if frame.f_code in (getattr(f, "__code__", None) for f in gc.callbacks):
                return None  # Hypothesis times the collector, which runs when it likes
            if frame.f_code.co_name == "__del__":
                return None  # Python drops whatever is raised there
            if self.inside not in frame.f_code.co_filename and frame.f_back not in self.before:
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if frame.f_back in self.before:
                self.before[frame.f_back] = None  # it called a function written in Python
            self.before[frame] = None
            if frame.f_code.co_name != "__exit__":  # see test_interruptions
                self.look(frame)
        elif event == "opcode":
            if self.before.get(frame) in LOOKS:
                self.look(frame)
            code = frame.f_code.co_code[frame.f_lasti]
            self.before[frame] = dis.opname[code]
        elif event == "return":
            self.before.pop(frame, None)
        return self.trace

    def look(self, frame):
        if self.at == self.places:
            self.where = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
            self.places += 1
            raise KeyboardInterrupt
        self.places += 1


def interrupted_everywhere(prepare, every=1, inside=""):
    """For every place, or every so many: `prepare()` gives what is called and whatever else a test
    wants; the call is interrupted there. Yields the place in words and what was prepared."""
    at = 0
    while True:
        prepared = prepare()
        interrupter = Interrupter(at, inside)
        try:
            interrupter(prepared[0])
        except KeyboardInterrupt:
            yield interrupter.where, prepared
        else:  # it has come to its end
            assert at > 3
            assert interrupter.where is None, f"no KeyboardInterrupt came out: {interrupter.where}"
            return
        at += every
