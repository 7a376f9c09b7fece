"""What hostile programs try: against Monty, against the shell's sandbox, against the copy of a database. Plain lists, each entry its own attempt.

`{secret}` is the path of a file that holds the canary, `{folder}` the folder it stands in, `{port}` a listening port on this machine.
"""

from __future__ import annotations

import socket
from typing import Self

import attempts_more

_PATHS = (
    "{secret}",
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/environ",
    "/proc/self/maps",
    "/root/.ssh/id_rsa",
    "../../../../etc/passwd",
    "/dev/mem",
)
_READS = (
    "print(open({path!r}).read())",
    "with open({path!r}, 'rb') as f:\n    print(f.read())",
    "from pathlib import Path\nprint(Path({path!r}).read_text())",
    "from pathlib import Path\nprint(Path({path!r}).read_bytes())",
    "import os\nprint(os.listdir({path!r}))",
    "import os\nprint(os.stat({path!r}))",
    "import os\nprint(os.open({path!r}, 0))",
    'print(eval("open(" + repr({path!r}) + ").read()"))',
)
_MODULES = (
    "socket", "subprocess", "ctypes", "multiprocessing", "threading", "signal", "importlib", "pickle", "marshal", "shutil", "tempfile", "urllib.request",
    "http.client", "ssl", "sqlite3", "resource", "gc", "inspect", "code", "codeop", "builtins", "posix", "_posixsubprocess", "_socket", "mmap", "fcntl",
    "pty", "select", "asyncio.subprocess", "zipimport", "runpy", "site", "webbrowser", "pydantic", "reasoner", "_ctypes", "faulthandler", "tracemalloc",
)  # fmt: skip
_INTROSPECTION = (
    "print(().__class__.__bases__[0].__subclasses__())",
    "print(''.__class__.__mro__[1].__subclasses__())",
    "print([c for c in object.__subclasses__() if 'wrap' in c.__name__])",
    "print((lambda: 0).__globals__)",
    "print((lambda: 0).__code__.co_code)",
    "def f(): pass\nprint(f.__globals__['__builtins__'])",
    "print(__builtins__.__dict__['__import__']('os').system('id'))",
    "print(__import__('os').system('id'))",
    "print(globals()['__builtins__'])",
    "print(vars()['__loader__'].load_module('os'))",
    "print(__loader__)",
    "print(__spec__)",
    "import sys\nprint(sys.modules['os'])",
    "import sys\nprint(sys._getframe(1).f_globals)",
    "import sys\nprint(sys.path, sys.argv, sys.executable)",
    "try:\n    1 / 0\nexcept Exception as e:\n    print(e.__traceback__.tb_frame.f_back.f_globals)",
    "print('{0.__class__.__mro__}'.format(1))",
    "print('{0.__globals__}'.format(lent))",
    "print(lent.__globals__)",
    "print(lent.__self__)",
    "print(lent.__closure__[0].cell_contents)",
    "print(lent.__func__)",
    "print(type(lent).__mro__)",
    "print(getattr(lent, '__glo' + 'bals__'))",
    "import re\nprint(re.__builtins__)",
    "import json\nprint(json.codecs.open('{secret}').read())",
    "import random\nprint(random._os.environ)",
    "import collections\nprint(collections._sys.modules)",
    "import os\nprint(os.environ['CANARY'])",
    "import os\nprint(os.getenv('CANARY'))",
    "import os\nprint(os.popen('env').read())",
    "import os\nos.system('env > {folder}/out')",
    "import os\nos.execv('/bin/sh', ['sh', '-c', 'env > {folder}/out'])",
    "import os\nos.fork()",
    "import os\nos.kill(os.getppid(), 9)",
    "import os\nos.remove('{secret}')",
    "import os\nos.chdir('{folder}')\nprint(os.listdir('.'))",
    "open('{folder}/out', 'w').write('x')",
    "from pathlib import Path\nPath('{folder}/out').write_text('x')",
    "from pathlib import Path\nprint(list(Path('{folder}').iterdir()))",
    "from pathlib import Path\nPath('{folder}/out').symlink_to('/etc/passwd')",
    "exec(\"import socket\\nsocket.create_connection(('127.0.0.1', {port}))\")",
    "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', {port}))",
    "import asyncio\nawait asyncio.create_subprocess_shell('id')",
    "compile('1', 'x', 'eval')",
    "print(exit())",
    "raise SystemExit(3)",
    "raise KeyboardInterrupt",
    "print(input())",
    "breakpoint()",
    "help()",
    "print(memoryview(b'x').obj)",
    "class A:\n    def __del__(self): open('{folder}/out', 'w')\ndel A",
    "class A:\n    def __repr__(self): return open('{secret}').read()\nA()",
    "class A:\n    __slots__ = ('x',)\nprint(A.x.__objclass__)",
)
_BOMBS = (
    "while True: pass",
    "for i in range(10**12): pass",
    "sum(i * i for i in range(10**10))",
    "def f(): return f()\nf()",
    "f = lambda: f()\nf()",
    "x = 'a'\nwhile True: x += x",
    "x = []\nwhile True: x.append('a' * 1000)",
    "x = {}\ni = 0\nwhile True:\n    x[i] = [i] * 100\n    i += 1",
    "'a' * 10**10",
    "[0] * 10**10",
    "b'a' * 10**10",
    "list(range(10**10))",
    "2 ** 10**9",
    "10 ** 10**8",
    "x = 3\nwhile True: x = x * x",
    "int('9' * 10**7)",
    "str(10 ** 10**6)",
    "x = []\nfor i in range(10**7): x = [x]\nx",
    "x = ()\nfor i in range(10**5): x = (x,)\nstr(x)",
    "x = []\nx.append(x)\nx == x",
    "import json\njson.loads('[' * 10**6)",
    "import json\njson.dumps([[]] * 10**8)",
    "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
    "import re\nre.match('(a|a)*$', 'a' * 60 + 'b')",
    "import re\nre.compile('(' * 10**5)",
    "import re\nre.compile('a{1,65535}{1,65535}')",
    "import itertools\nlist(itertools.product(range(100), repeat=10))",
    "import itertools\nfor x in itertools.count(): pass",
    "while True: print('a' * 10000)",
    "print('a' * 10**8)",
    "'%1000000000d' % 1",
    "f'{{1:1000000000}}'",
    "'a'.ljust(10**10)",
    "'a,' * 10**6 * 100",
    "'x'.join(['y' * 1000] * 10**7)",
    "sorted(range(10**9))",
    "import time\ntime.sleep(10**6)",
    "import asyncio\nawait asyncio.sleep(10**6)",
    "import decimal\ndecimal.getcontext().prec = 10**9\nprint(decimal.Decimal(1) / 3)",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "try:\n    x = 'a' * 10**10\nexcept MemoryError:\n    while True: pass",
    "while True: lent()",
)
_BROKEN = (
    "(" * 5000,
    "[" * 5000 + "]" * 5000,
    "-" * 20000 + "1",
    "1" + "+1" * 20000,
    "x" * 60000,
    "\x00",
    "\ud800",
    "def f(:",
    "if True:\n" * 2000,
    "'" * 9999,
)


def python_programs() -> list[str]:
    """Return the attempts against Monty."""
    reads = [read.replace("{path!r}", repr(path)) for path in _PATHS for read in _READS]
    modules = [f"import {name}\nprint({name})" for name in _MODULES]
    return [*reads, *modules, *_INTROSPECTION, *_BOMBS, *_BROKEN, *attempts_more.PYTHON]


_TARGETS = ("{secret}", "/etc/passwd", "/etc/shadow", "/root/.ssh/id_rsa", "/home", "/var/log", "/run", "/sys/kernel", "/boot", "/opt")


def shell_commands() -> list[str]:
    """Return the attempts against the shell."""
    return [
        *attempts_more.SHELL, *(f"cat {path} || ls -la {path}" for path in _TARGETS),
        "cat /proc/*/environ | tr '\\0' '\\n'", "env", "set", "printenv CANARY", "cat /proc/1/root{secret}", "ls -la /proc/1/root/root /proc/1/cwd",
        "cat /proc/1/fd/* < /dev/null", "cat /proc/self/fd/*", "cat /proc/kcore | head -c 100", "cat /proc/kallsyms | head -3", "cat /dev/mem | head -c 10",
        "cat /dev/sda /dev/vda | head -c 100", "mknod d b 8 0 && cat d | head -c 100", "dmesg", "ls -laR /proc/1/task/1/",
        "exec 3<>/dev/tcp/127.0.0.1/{port}; echo hi >&3", "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; echo hi >&3'",
        "bash -c 'exec 3<>/dev/udp/127.0.0.1/{port}; echo hi >&3'", "bash -c 'exec 3<>/dev/tcp/1.1.1.1/53'", "curl -m 2 http://127.0.0.1:{port}/",
        "wget -T 2 -O- http://127.0.0.1:{port}/", "ping -c1 -W1 127.0.0.1", "getent hosts example.com", "cat /etc/resolv.conf", "ip link; ip addr",
        "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)'",
        "python3 -c 'import socket; socket.create_connection((\"::1\", {port}), 2)'",
        "python3 -c 'import socket; s=socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print(\"ESCAPED netlink\", s)'",
        "python3 -c 'import socket; s=socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3); print(\"ESCAPED packet\", s)'",
        "python3 -c 'import socket; s=socket.socket(40, 1); print(\"ESCAPED vsock\", s)'",
        "python3 -c 'import socket; s=socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print(\"ESCAPED raw\", s)'",
        "python3 -c 'import socket; s=socket.socket(38, 5); print(\"ESCAPED alg\", s)'",
        "python3 -c 'import socket; s=socket.socket(1, 1); s.connect(\"\\0/tmp/.X11-unix/X0\"); print(\"ESCAPED x\")'",
        "echo x > {folder}/out", "mkdir -p {folder} && echo x > {folder}/out && cat {secret}", "echo x > /usr/out && echo ESCAPED", "touch /out && echo ESCAPED",
        "echo x > /etc/out && echo ESCAPED", "echo x > /dev/shm/out && echo ESCAPED", "rm -rf /usr /bin /lib; ls /usr/bin/env", "mount -o remount,rw / && echo ESCAPED",
        "mount -t tmpfs none /work && echo ESCAPED", "mount --bind / /work && echo ESCAPED", "umount /usr && echo ESCAPED", "umount -l /proc && echo ESCAPED",
        "unshare -Urm true && echo ESCAPED", "unshare -n true && echo ESCAPED", "nsenter -t 1 -m true && echo ESCAPED", "chroot / true && echo ESCAPED",
        "su -c id", "sudo id", "newgrp root < /dev/null", "setpriv --reuid 0 true && echo ESCAPED", "cp /bin/sh s; chmod u+s s; ./s -pc 'id -u' | grep -qx 0 && echo ESCAPED",
        "kill -9 1; kill -9 -1; echo still", "kill -9 $PPID; echo still", "killall -9 python3", "pkill -9 -f .", "renice -20 $$ && echo ESCAPED",
        "python3 -c 'import os; os.setuid(0); print(\"ESCAPED\")'", "python3 -c 'import os; os.setns(os.open(\"/proc/1/ns/net\", 0), 0); print(\"ESCAPED\")'",
        "python3 -c 'import ctypes; r=ctypes.CDLL(None).ptrace(16, 1, 0, 0); print(\"ESCAPED\" if r == 0 else r)'",
        "python3 -c 'import ctypes; r=ctypes.CDLL(None).syscall(250, 0, -3, 1); print(\"ESCAPED\" if r > 0 else r)'",
        "python3 -c 'import ctypes; r=ctypes.CDLL(None).syscall(425, 8, 0); print(\"ESCAPED\" if r > 0 else r)'",
        "python3 -c 'import ctypes; r=ctypes.CDLL(None).syscall(321, 0, 0, 0); print(\"ESCAPED\" if r > 0 else r)'",
        "python3 -c 'import ctypes; r=ctypes.CDLL(None).syscall(323, 0); print(\"ESCAPED\" if r > 0 else r)'",
        "python3 -c 'import fcntl, termios; fcntl.ioctl(0, termios.TIOCSTI, b\"x\"); print(\"ESCAPED\")'",
        "echo c > /proc/sysrq-trigger && echo ESCAPED", "echo 1 > /proc/sys/kernel/sysrq && echo ESCAPED", "cat /proc/sys/kernel/core_pattern; echo '|x' > /proc/sys/kernel/core_pattern && echo ESCAPED",
        ":(){ :|:& };:", "bomb() { bomb | bomb & }; bomb; sleep 30", "python3 -c 'import os\nwhile True: os.fork()'", "while true; do sleep 7172 & done", "for i in $(seq 2000); do sleep 50 & done; echo done",
        "while true; do :; done", "sleep 1000", "sleep 1000 & disown; exec >&- 2>&-; sleep 1000", "trap '' TERM INT HUP; while true; do sleep 1; done", "nohup setsid sleep 1000 > /dev/null 2>&1 &",
        "python3 -c 'x = \"a\" * 10**10'", "python3 -c 'x=[]\nwhile True: x.append(bytes(10**6))'", "tail /dev/zero", "head -c 2G /dev/zero | sort", "perl -e '$x .= \"a\" x 1000000 while 1'",
        "cat /dev/zero > big", "dd if=/dev/zero of=big bs=1M count=1000", "i=0; while true; do i=$((i+1)); : > f$i; done", "i=0; while true; do i=$((i+1)); mkdir d$i; cd d$i; done", "truncate -s 1T sparse; ls -la",
        "yes", "cat /dev/urandom", "yes | tr -d '\\n'", "ln -s {secret} link; cat link", "ln {secret} hard; cat hard", "tar -cf - / 2>/dev/null | wc -c | awk '$1 > 4000000000 {{print \"ESCAPED\"}}'",
        "echo hacked > /proc/self/fd/1; for f in /proc/*/fd/*; do echo x > $f; done 2>/dev/null",
    ]  # fmt: skip


_PRAGMAS = (
    "journal_mode = DELETE", "writable_schema = ON", "temp_store_directory = '{folder}'", "data_store_directory = '{folder}'", "query_only = OFF",
    "trusted_schema = ON", "locking_mode = EXCLUSIVE", "mmap_size = 1000000000", "cache_size = -100000000", "page_size = 65536", "synchronous = OFF",
    "foreign_keys = ON", "integrity_check", "quick_check", "wal_checkpoint(TRUNCATE)", "optimize", "shrink_memory", "hard_heap_limit = 0",
    "soft_heap_limit = 0", "threads = 8", "user_version = 7", "application_id = 7", "schema_version = 99", "encoding = 'UTF-16'", "auto_vacuum = 1",
    "incremental_vacuum", "secure_delete = ON", "recursive_triggers = ON", "legacy_file_format = ON", "database_list", "compile_options",
    "function_list", "module_list", "collation_list", "max_page_count = 1", "temp_store = 0", "analysis_limit = 0", "busy_timeout = 100000", "cell_size_check = 0",
    "case_sensitive_like = ON",
)  # fmt: skip
_WRITES = (
    "INSERT INTO goods VALUES (9, 'x', 1)", "UPDATE goods SET price = 0", "DELETE FROM goods", "REPLACE INTO goods VALUES (1, 'x', 1)", "DROP TABLE goods",
    "CREATE TABLE t (a)", "CREATE TEMP TABLE t (a)", "CREATE VIEW v AS SELECT 1", "CREATE TRIGGER t AFTER INSERT ON goods BEGIN SELECT 1; END",
    "CREATE INDEX i ON goods (name)", "ALTER TABLE goods RENAME TO bads", "ALTER TABLE goods ADD COLUMN x", "VACUUM", "VACUUM INTO '{folder}/out'",
    "ANALYZE", "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT s", "RELEASE s", "CREATE VIRTUAL TABLE f USING fts5 (x)",
    "CREATE VIRTUAL TABLE c USING csv (filename='{secret}')", "CREATE VIRTUAL TABLE r USING rtree (a, b, c)", "CREATE TABLE t AS SELECT * FROM goods",
    "INSERT INTO goods SELECT * FROM goods RETURNING *", "WITH x AS (SELECT 1) DELETE FROM goods", "WITH x AS (SELECT 1) INSERT INTO goods VALUES (1, 'x', 1)",
    "DELETE FROM goods RETURNING *", "UPDATE goods SET price = 1 RETURNING *", "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x (a)')",
    "UPDATE sqlite_sequence SET seq = 9", "DROP INDEX i", "CREATE UNIQUE INDEX IF NOT EXISTS u ON goods (name)", "EXPLAIN DELETE FROM goods",
)  # fmt: skip
_FILES = (
    "ATTACH '{secret}' AS s", "ATTACH DATABASE '{folder}/out' AS s", "ATTACH ':memory:' AS s", "ATTACH '' AS s", "ATTACH 'file:{secret}?mode=ro' AS s",
    "ATTACH 'file:{folder}/out?mode=rwc' AS s", "ATTACH '/etc/passwd' AS s", "ATTACH (SELECT '{folder}/out') AS s", "ATTACH x'2f746d70' AS s", "DETACH main", "DETACH temp",
    "SELECT load_extension('{secret}')", "SELECT load_extension('libc.so.6')", "SELECT load_extension('/lib/x86_64-linux-gnu/libc.so.6', 'system')",
    "SELECT LOAD_EXTENSION('x')", "SELECT \"load_extension\"('x')", "SELECT readfile('{secret}')", "SELECT writefile('{folder}/out', 'x')", "SELECT edit('x', 'sh')",
    "SELECT fts3_tokenizer('simple')", "SELECT fts3_tokenizer('simple', x'0000000000000000')", "SELECT fts5(x'00')", "SELECT * FROM fsdir('{folder}')",
    "SELECT * FROM csv('{secret}')", "SELECT * FROM sqlite_dbpage", "SELECT * FROM dbstat", "SELECT * FROM pragma_database_list", "SELECT * FROM pragma_function_list",
    "SELECT * FROM pragma_module_list", "SELECT * FROM pragma_journal_mode", "SELECT shell('id')", "SELECT system('id')", "SELECT eval('SELECT 1')", ".read {secret}",
    ".shell id", ".load x", ".output {folder}/out", "SELECT sqlite_compileoption_get(1)", "SELECT sqlite_log(1, 'x')", "SELECT sqlite_source_id()",
    "SELECT last_insert_rowid(), changes(), total_changes()", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM tables_used('SELECT 1')", "SELECT sqlite_rename_table(0,0,0,0,0,0,0)",
    "SELECT * FROM zipfile('{secret}')", "SELECT * FROM completion('a')", "SELECT randomblob(1000000000)", "SELECT zeroblob(1000000000)",
)  # fmt: skip
_SMUGGLED = (
    "SELECT * FROM (DELETE FROM goods RETURNING *)", "SELECT (SELECT load_extension('x'))", "SELECT name FROM goods WHERE load_extension('x')",
    "SELECT name FROM goods ORDER BY load_extension('x')", "SELECT name FROM goods GROUP BY load_extension('x')", "SELECT count(*) FILTER (WHERE load_extension('x')) FROM goods",
    "WITH a AS (SELECT load_extension('x')) SELECT * FROM a", "SELECT CASE WHEN 1 THEN load_extension('x') END", "SELECT coalesce(NULL, readfile('{secret}'))",
    "SELECT iif(1, load_extension('x'), 0)", "VALUES (load_extension('x'))", "SELECT /**/load_extension/**/('x')", "SELECT LoAd_ExTeNsIoN('x')", "SELECT [load_extension]('x')",
    "SELECT `load_extension`('x')", "SELECT name FROM goods UNION SELECT load_extension('x')", "/* a */ ATTACH '{folder}/out' AS s", "EXPLAIN ATTACH '{folder}/out' AS s",
    "EXPLAIN VACUUM INTO '{folder}/out'", "PRAGMA main.journal_mode = OFF", "PRAGMA main.table_info(goods); DROP TABLE goods", "SELECT * FROM main.goods, temp.sqlite_master",
    "SELECT * FROM pragma_table_info('goods', 'other')", "SELECT * FROM pragma_table_list JOIN pragma_database_list", "SELECT * FROM json_each(readfile('{secret}'))",
    "SELECT fts5_decode(1, x'00')", "SELECT matchinfo(goods) FROM goods", "SELECT snippet(goods) FROM goods", "SELECT rtreecheck('goods')", "SELECT sqlite_attach('{folder}/out', 's', '')",
    "SELECT sqlite_detach('main')", "SELECT sqlite_rename_column(0,0,0,0,0,0,0,0,0)", "SELECT sqlite_drop_column(0,0,0)", "SELECT sqlite_rename_test(0,0,0,0,0,0,0)", "SELECT unknown('x')",
)  # fmt: skip
_LOOP = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
_HEAVY = (
    f"{_LOOP} SELECT x FROM c", f"{_LOOP} SELECT count(*) FROM c", f"{_LOOP} SELECT x FROM c ORDER BY x", f"{_LOOP} SELECT DISTINCT x FROM c", f"{_LOOP} SELECT max(x) FROM c",
    f"{_LOOP} SELECT sum(x) OVER (ORDER BY x) FROM c", f"{_LOOP} SELECT group_concat(x) FROM c", f"{_LOOP} SELECT json_group_array(x) FROM c", f"{_LOOP} SELECT json_group_object(x, x) FROM c",
    f"{_LOOP} SELECT printf('%.*c', 900000, 'x') || x FROM c ORDER BY 1", f"{_LOOP} SELECT hex(printf('%.*c', 400000, 'x')) || x FROM c GROUP BY 1",
    f"{_LOOP} SELECT count(DISTINCT printf('%.*c', 9000, 'x') || x) FROM c", f"{_LOOP}, d AS MATERIALIZED (SELECT x, printf('%.*c', 90000, 'x') AS y FROM c) SELECT count(*) FROM d",
    "SELECT count(*) FROM goods a, goods b, goods c, goods d, goods e, goods f, goods g, goods h", "SELECT * FROM goods a, goods b, goods c, goods d, goods e, goods f ORDER BY a.name || f.name",
    "SELECT printf('%1000000000d', 1)", "SELECT printf('%.*c', 1000000000, 'x')", "SELECT replace(printf('%.*c', 999999, 'x'), 'x', 'yyyyyyyyyyyyyyyyyyyyyyyyy')",
    "SELECT replace(replace(replace(printf('%.*c', 99999, 'x'), 'x', 'xx'), 'x', 'xx'), 'x', 'xxxx')", "SELECT instr(printf('%.*c', 999999, 'a'), printf('%.*c', 499999, 'a') || 'b')",
    "SELECT printf('%.*c', 99999, 'a') LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%b'", "SELECT printf('%.*c', 99999, 'a') GLOB '*a*a*a*a*a*a*a*a*a*a*a*b'", "SELECT x'" + "00" * 4000 + "'",
    "SELECT json_extract(printf('%.*c', 900000, '['), '$')", "SELECT json(printf('%.*c', 900000, '['))", "SELECT * FROM json_tree(printf('%.*c', 2000, '['))", "SELECT " + "(" * 900 + "1" + ")" * 900,
    "SELECT " + "-" * 5000 + "1", "SELECT 1" + " UNION SELECT 1" * 400, "SELECT " + ",".join("1" for _ in range(3000)), "SELECT 1" + "+1" * 3000,
    "SELECT " + "abs(" * 500 + "1" + ")" * 500, "SELECT max(" + ",".join("1" for _ in range(200)) + ")", "SELECT CASE " + "WHEN 0 THEN 1 " * 500 + "END",
    "WITH " + ", ".join(f"a{i} AS (SELECT * FROM a{i - 1} x, a{i - 1} y)" if i else "a0 AS (SELECT 1)" for i in range(20)) + " SELECT count(*) FROM a19",
    "SELECT * FROM " + ", ".join(f"goods g{i}" for i in range(70)), "SELECT 1; DROP TABLE goods", "SELECT 1; SELECT 2", "SELECT 1 -- ; DROP TABLE goods", "/* " * 100, "SELECT '", "SELECT \x00 1",
    "SELECT '\ud800'", "", ";", "   ", "EXPLAIN QUERY PLAN SELECT * FROM goods", "SELECT " + "x" * 9000, "SELECT " + "y" * 20000, "SELECT ?", "SELECT :name", "SELECT @x, $y",
    "VALUES " + ",".join("(1)" for _ in range(2000)), "SELECT 9223372036854775807 + 1, -9223372036854775808 / -1, 1e999, -1e999",
)  # fmt: skip


def queries() -> list[str]:
    """Return the attempts against a database."""
    pragmas = [f"PRAGMA {pragma}" for pragma in _PRAGMAS]
    functions = [
        f"SELECT * FROM pragma_{name}"
        for name in ("integrity_check", "compile_options", "collation_list", "user_version", "wal_checkpoint", "table_list('x')")
    ]
    return [*pragmas, *functions, *_WRITES, *_FILES, *_SMUGGLED, *_HEAVY, *attempts_more.QUERIES]


class CanaryPort:
    """A listening port on this machine that notes whether anybody came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.number: int = self._socket.getsockname()[1]

    @property
    def reached(self) -> bool:
        """Whether somebody connected."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
