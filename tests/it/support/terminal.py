"""Runs a command on a terminal of its own, answers its questions in order, and ends as it ended.

terminal.py COUNT (QUESTION ANSWER)... COMMAND...: each ANSWER is typed once QUESTION stands on the terminal behind the
answer before; "^C" is Ctrl-C. "wait for a file and say y" makes the file $GO.asked and waits for $GO first. The terminal has
as many columns as COLUMNS says, and no size without it.
"""
import fcntl
import os
import pty
import struct
import sys
import termios
import time

count = int(sys.argv[1])
words = sys.argv[2 : 2 + 2 * count]
questions = [(words[at].encode(), words[at + 1]) for at in range(0, len(words), 2)]
child, terminal = pty.fork()
command = sys.argv[2 + 2 * count :]
if child == 0:
    if "COLUMNS" in os.environ:
        size = struct.pack("HHHH", 24, int(os.environ["COLUMNS"]), 0, 0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execvp(command[0], command)
shown, read = b"", 0
while True:
    try:
        text = os.read(terminal, 65536)
    except OSError:
        break
    if not text:
        break
    shown += text
    while questions and questions[0][0] in shown[read:]:
        question, answer = questions.pop(0)
        read = shown.index(question, read) + len(question)
        if answer.startswith("wait"):
            open(os.environ["GO"] + ".asked", "w").close()
            while not os.path.exists(os.environ["GO"]):
                time.sleep(0.02)
            answer = "y"
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\r")
sys.stdout.buffer.write(shown)
sys.stdout.flush()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if status >= 0 else 100 - status)
