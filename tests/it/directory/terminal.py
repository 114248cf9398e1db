"""Runs a command on a terminal of its own, answers its question, and ends as it ended.

terminal.py ANSWER COMMAND...: ANSWER is typed once "[y/N]" stands on the terminal; "^C" is Ctrl-C. The terminal has as many
columns as COLUMNS says, and no size without it.
"""
import fcntl
import os
import pty
import struct
import sys
import termios

answer = b"\x03" if sys.argv[1] == "^C" else sys.argv[1].encode() + b"\r"
child, terminal = pty.fork()
if child == 0:
    if "COLUMNS" in os.environ:
        size = struct.pack("HHHH", 24, int(os.environ["COLUMNS"]), 0, 0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execvp(sys.argv[2], sys.argv[2:])
shown, asked = b"", False
while True:
    try:
        text = os.read(terminal, 65536)
    except OSError:
        break
    if not text:
        break
    shown += text
    if not asked and b"[y/N]" in shown:
        asked = True
        os.write(terminal, answer)
sys.stdout.buffer.write(shown)
sys.stdout.flush()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if status >= 0 else 100 - status)
