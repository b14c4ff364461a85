"""Modules and names of POSIX that Windows lacks, of those that a project like this might use."""

MODULES = frozenset(
    [
        "crypt",
        "curses",
        "fcntl",
        "grp",
        "posix",
        "pty",
        "pwd",
        "resource",
        "syslog",
        "termios",
        "tty",
    ]
)
_OS = """
chown chroot copy_file_range ctermid environb eventfd fchdir fchown fdatasync fork forkpty fstatvfs
getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getrandom getresuid getsid
getuid getxattr killpg lchown listxattr lockf major memfd_create minor mkfifo mknod nice openpty
pathconf pidfd_open pipe2 posix_fadvise posix_fallocate posix_spawn posix_spawnp pread preadv
pwrite pwritev readv register_at_fork removexattr sched_getaffinity sched_setaffinity sched_yield
sendfile setgid setgroups setpgid setpgrp setpriority setsid setuid setxattr splice statvfs sync
sysconf tcgetpgrp tcsetpgrp ttyname uname wait wait3 wait4 waitid writev
O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW
O_NONBLOCK O_PATH O_SYNC O_TMPFILE WNOHANG WIFEXITED WEXITSTATUS WIFSIGNALED WTERMSIG RTLD_GLOBAL
RTLD_NOW
"""
_SIGNAL = """
SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGRTMAX SIGRTMIN
SIGSTOP SIGSYS SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU
SIGXFSZ SIG_BLOCK SIG_SETMASK SIG_UNBLOCK Sigmasks alarm getitimer pause pthread_kill
pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait sigwaitinfo ITIMER_REAL
"""
_TIME = "CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW CLOCK_REALTIME clock_getres"
_TIME += " clock_gettime clock_gettime_ns tzset pthread_getcpuclockid"
NAMES = {
    "os": frozenset(_OS.split()),
    "signal": frozenset(_SIGNAL.split()),
    "time": frozenset(_TIME.split()),
    "select": frozenset(["poll", "epoll", "kqueue"]),
}
