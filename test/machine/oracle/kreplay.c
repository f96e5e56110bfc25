// kreplay: replays a text script of a machine with several processes on a real
// Linux kernel and dumps what the kernel says about memory after each `sample`.
//
// It runs as PID 1 of a tiny initramfs (see run.sh).  PID 1 is the coordinator;
// every simulated process is a worker that obeys one command at a time, sent
// through a pipe.  Output is JSON lines on QEMU's debug port 0xe9.
// Grammar: docs/machine.md.  License: MIT.
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/swap.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define MAXP 64              // processes in one script
#define MAXR 64              // region names in one script
#define FD0 100              // process i: commands on fd FD0+4i.., replies on +2..
#define SLOT 0x1000000000UL  // 64 GiB of address space for each named region
#define BASE 0x100000000000UL

struct cmd { char line[480]; int kid; };                 // kid: index of a forked child
struct reply { long ret, err, minflt, majflt, us; };

static long now_us(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000L + t.tv_nsec / 1000; }

// "500M", "4K", "12", "3p" (pages), "2h" (2 MiB units) -> bytes
static long size_of(const char *s) {
  if (!s) return 0;
  char *e; double v = strtod(s, &e);
  switch (*e) { case 'K': v *= 1024; break; case 'M': v *= 1 << 20; break; case 'G': v *= 1 << 30; break;
                case 'p': v *= 4096; break; case 'h': v *= 1 << 21; break; }
  return (long)v;
}

// ---------------------------------------------------------------- the worker
// Region names are sent as slot numbers (#k): the address is a function of the
// name alone, so that a fork inherits it and the coordinator can find it in smaps.
static char *heap0;                        // the region named "heap": from the program break at the first `brk`
static void noise(char *p, long bytes) {
  unsigned long x = (unsigned long)p * 0x9e3779b97f4a7c15UL | 1;
  for (long i = 0; i < bytes; i += 8) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; memcpy(p + i, &x, bytes - i < 8 ? bytes - i : 8); }
}
static char *W_addr(const char *r) { return r[1] == 'h' ? heap0 : r[1] == 's' ? (char *)0x7ffffffff000UL : (char *)(BASE + SLOT * (unsigned long)atoi(r + 1)); }
static int has(char **a, int n, const char *w) { for (int i = 0; i < n; i++) if (!strcmp(a[i], w)) return 1; return 0; }
static const char *opt(char **a, int n, const char *key) {
  size_t l = strlen(key);
  for (int i = 0; i < n; i++) if (!strncmp(a[i], key, l) && a[i][l] == '=') return a[i] + l + 1;
  return NULL;
}
static void *sleeper(void *x) { for (;;) pause(); return x; }
static volatile unsigned long sink;
static long R(long r) { return r < 0 ? -errno : r; }

static int advice_of(const char *s) {
  static const struct { const char *n; int v; } t[] = { {"normal", MADV_NORMAL}, {"dontneed", MADV_DONTNEED}, {"free", MADV_FREE},
    {"hugepage", MADV_HUGEPAGE}, {"nohugepage", MADV_NOHUGEPAGE}, {"collapse", MADV_COLLAPSE}, {"willneed", MADV_WILLNEED},
    {"cold", 20}, {"pageout", 21}, {"populate_read", 22}, {"populate_write", 23}, {"remove", MADV_REMOVE},
    {"dontfork", MADV_DONTFORK}, {"random", MADV_RANDOM}, {"sequential", MADV_SEQUENTIAL}, {"wipeonfork", 18} };
  for (unsigned i = 0; i < sizeof t / sizeof *t; i++) if (!strcmp(t[i].n, s)) return t[i].v;
  return -1;
}

static long file_rw(const char *path, long off, long len, int wr, int sync) {
  static char buf[65536];
  int fd = open(path, wr ? O_RDWR | O_CREAT : O_RDONLY, 0644);
  if (fd < 0) return -errno;
  long done = 0, r = 0;
  while (done < len) {
    long n = len - done < (long)sizeof buf ? len - done : (long)sizeof buf;
    r = wr ? pwrite(fd, buf, n, off + done) : pread(fd, buf, n, off + done);
    if (r <= 0) break;
    done += r;
  }
  long e = r < 0 ? -errno : 0;
  if (sync) fsync(fd);
  close(fd);
  return e ? e : done;
}

static long worker_op(char **a, int n, struct cmd *c, int *idx) {
  const char *op = a[0];
#define IS(x) (!strcmp(op, x))
  char *A = n > 1 && a[1][0] == '#' ? W_addr(a[1]) : NULL;
  if (IS("mmap") || IS("filemap") || IS("memfd")) {      // mmap R LEN | filemap R FILE LEN | memfd R LEN
    int f = IS("filemap"), fd = -1;
    long len = size_of(a[f ? 3 : 2]);
    int prot = has(a, n, "ro") ? PROT_READ : has(a, n, "none") ? PROT_NONE : PROT_READ | PROT_WRITE;
    int fl = (has(a, n, "shared") ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED_NOREPLACE;
    if (f) { fd = open(a[2], has(a, n, "ro") ? O_RDONLY : O_RDWR | O_CREAT, 0644); if (fd < 0) return -errno; }
    if (IS("memfd")) { fd = syscall(SYS_memfd_create, a[1], 0); if (fd < 0 || ftruncate(fd, len)) return -errno; }
    if (fd < 0) fl |= MAP_ANONYMOUS;
    if (has(a, n, "populate")) fl |= MAP_POPULATE;
    if (has(a, n, "noreserve")) fl |= MAP_NORESERVE;
    if (has(a, n, "huge")) fl |= MAP_HUGETLB;
    if (has(a, n, "lock")) fl |= MAP_LOCKED;
    void *p = mmap(A + size_of(opt(a, n, "shift")), len, prot, fl, fd, size_of(opt(a, n, "fileoff")));
    long r = p == MAP_FAILED ? -errno : 0;
    if (fd >= 0) close(fd);
    return r;
  }
  if (IS("touch")) {                                      // touch R OFF LEN [write|read|rmw] [stride=4K]
    long off = size_of(a[2]), len = size_of(a[3]), st = opt(a, n, "stride") ? size_of(opt(a, n, "stride")) : 4096;
    int rd = has(a, n, "read"), rmw = has(a, n, "rmw");
    long fill = size_of(opt(a, n, "fill"));               // bytes of a page that no compressor makes smaller
    if (a[1][1] == 's') A -= 2 * off + len;               // of the stack, offsets count down from its top
    for (volatile char *p = A + off; p < A + off + len; p += st) { if (rd) sink += *p; else if (rmw) *p = *p + 1; else if (fill) noise((char *)p, fill); else *p = 7; }
    return 0;
  }
  if (IS("madvise"))  return R(madvise(A + size_of(a[2]), size_of(a[3]), advice_of(a[4])));
  if (IS("munmap"))   return R(munmap(A + size_of(a[2]), size_of(a[3])));
  if (IS("mlock"))    return R(mlock(A + size_of(a[2]), size_of(a[3])));
  if (IS("munlock"))  return R(munlock(A + size_of(a[2]), size_of(a[3])));
  if (IS("msync"))    return R(msync(A + size_of(a[2]), size_of(a[3]), MS_SYNC));
  if (IS("mprotect")) return R(mprotect(A + size_of(a[2]), size_of(a[3]), has(a, n, "none") ? 0 : has(a, n, "ro") ? PROT_READ : PROT_READ | PROT_WRITE));
  if (IS("mremap")) {                                     // mremap R OFF OLDLEN NEWLEN [to R2]
    int mv = n > 6 && !strcmp(a[5], "to");
    void *p = mremap(A + size_of(a[2]), size_of(a[3]), size_of(a[4]), MREMAP_MAYMOVE | (mv ? MREMAP_FIXED : 0), mv ? W_addr(a[6]) : NULL);
    return p == MAP_FAILED ? -errno : 0;
  }
  if (IS("rlimit")) {                                     // rlimit as|data|stack|memlock|nofile|nproc N|unlimited
    static const struct { const char *n; int v; } t[] = { {"as", RLIMIT_AS}, {"data", RLIMIT_DATA}, {"stack", RLIMIT_STACK}, {"memlock", RLIMIT_MEMLOCK}, {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC} };
    for (unsigned i = 0; i < sizeof t / sizeof *t; i++) if (!strcmp(t[i].n, a[1])) {
      struct rlimit l; getrlimit(t[i].v, &l);
      l.rlim_cur = !strcmp(a[2], "unlimited") ? RLIM_INFINITY : (rlim_t)size_of(a[2]);
      if (l.rlim_max < l.rlim_cur) l.rlim_max = l.rlim_cur;
      if (setrlimit(t[i].v, &l)) return -errno;
      if (t[i].v == RLIMIT_MEMLOCK) {                     // which binds only who has no CAP_IPC_LOCK
        struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 }; struct __user_cap_data_struct d[2];
        if (syscall(SYS_capget, &h, d)) return -errno;
        d[0].effective &= ~(1u << CAP_IPC_LOCK); if (!strcmp(a[2], "unlimited")) d[0].effective |= 1u << CAP_IPC_LOCK;
        if (syscall(SYS_capset, &h, d)) return -errno;
      }
      return 0;
    }
    return -EINVAL;
  }
  if (IS("brk") && !heap0) heap0 = (char *)(((uintptr_t)sbrk(0) + 4095) & ~4095UL);
  if (IS("brk"))      return sbrk(size_of(a[1])) == (void *)-1 ? -errno : 0;
  if (IS("fork")) {
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) return -errno;
    if (pid == 0) { *idx = c->kid; prctl(PR_SET_NAME, a[1]); }
    return pid;
  }
  if (IS("read"))     return file_rw(a[1], size_of(a[2]), size_of(a[3]), 0, 0);          // read FILE OFF LEN
  if (IS("write"))    return file_rw(a[1], size_of(a[2]), size_of(a[3]), 1, has(a, n, "sync"));
  if (IS("unlink"))   return R(unlink(a[1]));
  if (IS("mkdir"))    return R(mkdir(a[1], 0755));
  if (IS("truncate")) { int fd = open(a[1], O_RDWR | O_CREAT, 0644); long r = fd < 0 ? -errno : R(ftruncate(fd, size_of(a[2]))); close(fd); return r; }
  if (IS("fsync"))    { int fd = open(a[1], O_RDWR); long r = fd < 0 ? -errno : R(fsync(fd)); close(fd); return r; }
  if (IS("fadvise")) {                                    // fadvise FILE OFF LEN dontneed|willneed
    int fd = open(a[1], O_RDONLY); if (fd < 0) return -errno;
    int adv = has(a, n, "dontneed") ? POSIX_FADV_DONTNEED : has(a, n, "willneed") ? POSIX_FADV_WILLNEED : has(a, n, "random") ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL;
    long r = -posix_fadvise(fd, size_of(a[2]), size_of(a[3]), adv); close(fd); return r;
  }
  if (IS("fds"))      { long i, k = atol(a[1]); for (i = 0; i < k; i++) if (open("/dev/null", O_RDONLY) < 0) return -errno; return i; }
  if (IS("pipes"))    { long i, k = atol(a[1]); int p[2]; for (i = 0; i < k; i++) if (pipe(p)) return -errno; return i; }
  if (IS("sockets")) {                                    // sockets N [queued=BYTES]: N unix stream pairs
    long i, k = atol(a[1]), q = size_of(opt(a, n, "queued")); static char buf[65536]; int p[2];
    for (i = 0; i < k; i++) { if (socketpair(AF_UNIX, SOCK_STREAM, 0, p)) return -errno; if (q && send(p[0], buf, q, MSG_DONTWAIT) < 0) return -errno; }
    return i;
  }
  if (IS("udp"))      { long i, k = atol(a[1]); for (i = 0; i < k; i++) if (socket(AF_INET, SOCK_DGRAM, 0) < 0) return -errno; return i; }
  if (IS("closefds")) { for (int i = FD0 + 4 * MAXP; i < 1000000; i++) if (close(i) && i > 200000) break; return 0; }
  if (IS("files"))    { long i, k = atol(a[2]); char p[200]; for (i = 0; i < k; i++) { snprintf(p, sizeof p, "%s/f%ld", a[1], i); int fd = open(p, O_CREAT | O_WRONLY, 0644); if (fd < 0) return -errno; close(fd); } return i; }
  if (IS("stats"))    { long i, k = atol(a[2]), ok = 0; char p[200]; struct stat st; for (i = 0; i < k; i++) { snprintf(p, sizeof p, "%s/f%ld", a[1], i); ok += !stat(p, &st); } return ok; }
  if (IS("dentries")) { long i, k = atol(a[2]); char p[200]; struct stat st; for (i = 0; i < k; i++) { snprintf(p, sizeof p, "%s/none%ld", a[1], i); stat(p, &st); } return i; }
  if (IS("threads")) {                                    // threads N [stack=8M]
    pthread_attr_t at; pthread_t t; pthread_attr_init(&at); pthread_attr_setstacksize(&at, opt(a, n, "stack") ? size_of(opt(a, n, "stack")) : 8 << 20);
    for (long i = 0; i < atol(a[1]); i++) { int e = pthread_create(&t, &at, sleeper, NULL); if (e) return -e; }
    return 0;
  }
  if (IS("exit"))     return 0;
  return -ENOSYS;
}

static int split(char *s, char **a, int max) {
  int n = 0;
  for (char *t = strtok(s, " \t\n"); t && n < max - 1; t = strtok(NULL, " \t\n")) a[n++] = t;
  a[n] = NULL;
  return n;
}

static void worker(int idx) {
  struct cmd c; struct reply r; char *a[32];
  r = (struct reply){0};
  for (;;) {
    if (write(FD0 + 4 * idx + 3, &r, sizeof r) != sizeof r) _exit(99);
    if (read(FD0 + 4 * idx, &c, sizeof c) != sizeof c) _exit(98);
    int n = split(c.line, a, 32);
    struct rusage u0, u1;
    getrusage(RUSAGE_SELF, &u0);
    long t0 = now_us(), ret = worker_op(a, n, &c, &idx), t1 = now_us();
    getrusage(RUSAGE_SELF, &u1);
    r = (struct reply){ ret, ret < 0 ? -ret : 0, u1.ru_minflt - u0.ru_minflt, u1.ru_majflt - u0.ru_majflt, t1 - t0 };
    if (!strcmp(a[0], "exit")) _exit(n > 1 ? atoi(a[1]) : 0);
  }
}

// ----------------------------------------------------------- the coordinator
static struct proc { char name[24]; pid_t pid; int alive, busy; char busycmd[200]; } P[MAXP];
static char Rn[MAXR][24], Cg[32][48];
static int nP, nR, nC, step, sigfd, kmsg = -1, port_ok, do_refresh = 1;
static char *OUT, *BUF;                     // output line and file buffers, touched once at start
static size_t outn;
#define OUTMAX (1 << 20)
#define BUFMAX (1 << 20)

static void o(const char *f, ...) { va_list v; va_start(v, f); outn += vsnprintf(OUT + outn, OUTMAX - outn, f, v); va_end(v); }
static void ostr(const char *s) {
  o("\""); for (; *s; s++) { if (*s == '"' || *s == '\\') o("\\%c", *s); else if (*s == '\n') o("\\n"); else if ((unsigned char)*s < 32) o(" "); else o("%c", *s); } o("\"");
}
static void flush(void) {
  o("\n");
  if (port_ok) { char *p = OUT; size_t n = outn; __asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(0xe9) : "memory"); }
  else { ssize_t x = write(1, OUT, outn); (void)x; }
  outn = 0;
}
static char *slurp(const char *path) {
  int fd = open(path, O_RDONLY); if (fd < 0) { BUF[0] = 0; return NULL; }
  long n = 0, r; while ((r = read(fd, BUF + n, BUFMAX - 1 - n)) > 0) n += r;
  BUF[n] = 0; close(fd); return BUF;
}
static int put(const char *path, const char *val) {
  int fd = open(path, O_WRONLY); if (fd < 0) return -errno;
  long r = write(fd, val, strlen(val)); int e = r < 0 ? -errno : 0; close(fd); return e;
}
static int find_p(const char *n) { for (int i = 0; i < nP; i++) if (!strcmp(P[i].name, n)) return i; return -1; }
static int add_p(const char *n) { int i = find_p(n); if (i < 0) { i = nP++; snprintf(P[i].name, sizeof P[i].name, "%s", n); } return i; }
static int find_r(const char *n) { for (int i = 0; i < nR; i++) if (!strcmp(Rn[i], n)) return i; snprintf(Rn[nR], sizeof Rn[0], "%s", n); return nR++; }

// "key: 123 kB" lines -> "key":123 pairs; zeros are left out; only keys in `only` (space separated) if given
static void pairs(const char *only, const char *skip) {
  int first = 1; o("{");
  for (char *l = strtok(BUF, "\n"); l; l = strtok(NULL, "\n")) {
    char k[64]; int i = 0; while (*l && *l != ':' && *l != ' ' && *l != '\t' && i < 63) k[i++] = *l++;
    k[i] = 0; while (*l == ':' || isspace((unsigned char)*l)) l++;
    if (!isdigit((unsigned char)*l)) continue;
    if (only) { char w[72]; snprintf(w, sizeof w, " %s ", k); if (!strstr(only, w)) continue; }
    if (skip) { char w[72]; snprintf(w, sizeof w, " %s ", k); if (strstr(skip, w)) continue; }
    long v = atol(l); if (!v) continue;
    o("%s\"%s\":%ld", first ? "" : ",", k, v); first = 0;
  }
  o("}");
}

static void reap(void) {
  int st; pid_t p; struct signalfd_siginfo si; while (read(sigfd, &si, sizeof si) == sizeof si) ;
  while ((p = waitpid(-1, &st, WNOHANG)) > 0)
    for (int i = 0; i < nP; i++) if (P[i].pid == p && P[i].alive) {
      P[i].alive = P[i].busy = 0;
      o("{\"t\":\"death\",\"step\":%d,\"p\":\"%s\",\"pid\":%d,\"%s\":%d}", step, P[i].name, p, WIFSIGNALED(st) ? "signal" : "exit", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st)); flush();
    }
}
// waits for the reply of process i; 1 got it, 0 died, -1 timed out
static int await(int i, struct reply *r, int ms) {
  long end = now_us() + ms * 1000L;
  for (;;) {
    struct pollfd f[2] = { { FD0 + 4 * i + 2, POLLIN, 0 }, { sigfd, POLLIN, 0 } };
    long left = (end - now_us()) / 1000; if (left < 0) return -1;
    poll(f, 2, left);
    if (f[0].revents & POLLIN) { if (read(FD0 + 4 * i + 2, r, sizeof *r) == sizeof *r) return 1; }
    if (f[1].revents & POLLIN) reap();
    if (!P[i].alive) return 0;
  }
}
static void stepline(const char *cmd, const char *how, struct reply *r) {
  o("{\"t\":\"step\",\"step\":%d,\"cmd\":", step); ostr(cmd);
  if (how) o(",\"state\":\"%s\"", how);
  if (r) { o(",\"ret\":%ld", r->ret); if (r->err) o(",\"err\":\"%s\"", strerrorname_np(r->err)); if (r->minflt) o(",\"minflt\":%ld", r->minflt); if (r->majflt) o(",\"majflt\":%ld", r->majflt); o(",\"us\":%ld", r->us); }
  o("}"); flush();
}

static long fill_bytes;                      // of each page that is touched: what is said of a zram's ratio
// region names -> slots
static void send_cmd(int i, char **a, int n, int kid) {
  struct cmd c = { .kid = kid }; int k = 0;
  static const char *regop[] = { "mmap", "filemap", "memfd", "touch", "madvise", "munmap", "mlock", "munlock", "msync", "mprotect", "mremap", NULL };
  int isr = 0; for (int j = 0; regop[j]; j++) isr |= !strcmp(a[0], regop[j]);
  for (int j = 0; j < n; j++)
    if (isr && (j == 1 || (j == 6 && !strcmp(a[0], "mremap")))) { if (!strcmp(a[j], "heap") || (!strcmp(a[j], "stack") && !strcmp(a[0], "touch"))) k += snprintf(c.line + k, sizeof c.line - k, "#%s ", a[j]);
      else k += snprintf(c.line + k, sizeof c.line - k, "#%d ", find_r(a[j])); }
    else k += snprintf(c.line + k, sizeof c.line - k, "%s ", a[j]);
  if (fill_bytes && !strcmp(a[0], "touch")) snprintf(c.line + k, sizeof c.line - k, "fill=%ld ", fill_bytes);
  ssize_t w = write(FD0 + 4 * i + 1, &c, sizeof c); (void)w;
}

static void new_proc(const char *name) {
  int i = add_p(name); char num[16]; snprintf(num, sizeof num, "%d", i);
  struct reply r;
  pid_t pid = vfork();
  if (pid == 0) {
    char *av[] = { "worker", num, (char *)name, NULL }, *ev[] = { NULL };
    execve("/init", av, ev); _exit(97);
  }
  P[i].pid = pid; P[i].alive = 1;
  await(i, &r, 60000);

}

// --------------------------------------------------------------- the samples
static const char *VMSTAT = " nr_free_pages nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file nr_zone_active_file nr_zone_unevictable "
  "nr_mlock nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable nr_slab_reclaimable nr_slab_unreclaimable nr_isolated_anon nr_isolated_file "
  "workingset_nodes workingset_refault_anon workingset_refault_file workingset_activate_anon workingset_activate_file workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback nr_shmem "
  "nr_shmem_hugepages nr_anon_transparent_hugepages nr_dirtied nr_written nr_kernel_misc_reclaimable nr_kernel_stack nr_page_table_pages nr_dirty_threshold nr_dirty_background_threshold "
  "pgpgin pgpgout pgalloc_dma pgalloc_dma32 pgalloc_normal allocstall_dma32 allocstall_normal allocstall_movable pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse "
  "pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgdemote_kswapd pgscan_kswapd pgscan_direct pgscan_khugepaged pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file pginodesteal slabs_scanned "
  "kswapd_inodesteal kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab oom_kill compact_stall compact_fail compact_success compact_daemon_wake "
  "unevictable_pgs_culled unevictable_pgs_mlocked unevictable_pgs_munlocked thp_fault_alloc thp_fault_fallback thp_fault_fallback_charge thp_collapse_alloc thp_collapse_alloc_failed thp_file_alloc thp_split_page thp_split_page_failed "
  "thp_deferred_split_page thp_split_pmd thp_zero_page_alloc thp_zero_page_alloc_failed thp_scan_exceed_none_pte thp_scan_exceed_share_pte ";

static void free_line(void) {   // what `free -k` of procps-ng 4 prints, from meminfo in BUF
  long t = 0, f = 0, b = 0, c = 0, s = 0, sh = 0, av = 0;
  struct { const char *k; long *v; } m[] = { {"MemTotal:", &t}, {"MemFree:", &f}, {"Buffers:", &b}, {"\nCached:", &c}, {"SReclaimable:", &s}, {"Shmem:", &sh}, {"MemAvailable:", &av} };
  for (int i = 0; i < 7; i++) { char *p = strstr(BUF, m[i].k); if (p) *m[i].v = atol(p + strlen(m[i].k)); }
  o("{\"total\":%ld,\"used\":%ld,\"free\":%ld,\"shared\":%ld,\"buffcache\":%ld,\"available\":%ld}", t, t - av, f, sh, b + c + s, av);
}
static void zones(void) {
  slurp("/proc/zoneinfo"); int first = 1; o("[");
  for (char *z = strstr(BUF, "Node 0, zone"); z; ) {
    char *next = strstr(z + 5, "Node 0, zone"); char save = 0; if (next) { save = *next; *next = 0; }
    char name[16]; sscanf(z, "Node 0, zone %15s", name);
    long v[8] = {0}; static const char *k[] = { "pages free", "\n        min ", "\n        low ", "\n        high ", "\n        managed ", "\n        present ", "              count:", "              batch:" };
    for (int i = 0; i < 8; i++) { char *p = strstr(z, k[i]); if (p) v[i] = atol(p + strlen(k[i])); }
    char *pr = strstr(z, "protection: ("), prot[80] = ""; if (pr) sscanf(pr, "protection: (%79[^)])", prot);
    if (v[4]) { o("%s{\"zone\":\"%s\",\"free\":%ld,\"min\":%ld,\"low\":%ld,\"high\":%ld,\"managed\":%ld,\"present\":%ld,\"pcp\":%ld,\"pcp_batch\":%ld,\"protection\":[%s]}", first ? "" : ",", name, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], prot); first = 0; }
    if (next) *next = save;
    z = next;
  }
  o("]");
}
static void slab(void) {
  slurp("/proc/slabinfo"); int first = 1; o("{");
  for (char *l = strtok(BUF, "\n"); l; l = strtok(NULL, "\n")) {
    char nm[64]; long a, t, sz, per, pg;
    if (*l == '#' || sscanf(l, "%63s %ld %ld %ld %ld %ld", nm, &a, &t, &sz, &per, &pg) != 6 || (a * sz < 65536)) continue;
    o("%s\"%s\":[%ld,%ld,%ld,%ld,%ld]", first ? "" : ",", nm, a, t, sz, per, pg); first = 0;
  }
  o("}");
}
static void psi(const char *path) {      // {"some":[avg10,avg60,total_us],"full":[..]}
  if (!slurp(path)) { o("null"); return; }
  int first = 1; o("{");
  for (char *l = strtok(BUF, "\n"); l; l = strtok(NULL, "\n")) {
    char k[8]; double a, b, c; unsigned long long t;
    if (sscanf(l, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", k, &a, &b, &c, &t) == 5) { o("%s\"%s\":[%.2f,%.2f,%llu]", first ? "" : ",", k, a, b, t); first = 0; }
  }
  o("}");
}
static void smaps(pid_t pid) {           // the VMAs of named regions and of [heap]; zero fields left out
  char p[64]; snprintf(p, sizeof p, "/proc/%d/smaps", pid); slurp(p);
  static const char *keep = " Size Rss Pss Pss_Dirty Shared_Clean Shared_Dirty Private_Clean Private_Dirty Referenced Anonymous LazyFree Swap AnonHugePages ShmemPmdMapped FilePmdMapped Locked THPeligible Shared_Hugetlb Private_Hugetlb ";
  int first = 1, on = 0; o("[");
  for (char *l = strtok(BUF, "\n"); l; l = strtok(NULL, "\n")) {
    unsigned long lo, hi; char perm[8], rest[200] = "";
    if (sscanf(l, "%lx-%lx %7s %*s %*s %*s %199[^\n]", &lo, &hi, perm, rest) >= 3) {
      if (on) o("}");
      on = 0; char nm[32] = ""; long off = 0;
      if (lo >= BASE && lo < BASE + SLOT * nR) { int k = (lo - BASE) / SLOT; snprintf(nm, sizeof nm, "%s", Rn[k]); off = lo - BASE - SLOT * k; }
      else if (strstr(rest, "[heap]")) snprintf(nm, sizeof nm, "[heap]");
      if (*nm) { on = 1; o("%s{\"r\":\"%s\",\"off\":%ld,\"perm\":\"%s\"", first ? "" : ",", nm, off / 1024, perm); first = 0; }
    } else if (on) {
      char k[40]; int i = 0; char *q = l; while (*q && *q != ':' && i < 39) k[i++] = *q++; k[i] = 0;
      char w[48]; snprintf(w, sizeof w, " %s ", k); if (strstr(keep, w) && atol(q + 1)) o(",\"%s\":%ld", k, atol(q + 1));
    }
  }
  if (on) o("}");
  o("]");
}
static void s_proc(const char *label, int i) {
  char p[64]; pid_t pid = P[i].pid;
  o("{\"t\":\"proc\",\"label\":\"%s\",\"p\":\"%s\",\"pid\":%d", label, P[i].name, pid);
  snprintf(p, sizeof p, "/proc/%d/stat", pid); slurp(p);
  char *q = strrchr(BUF, ')'); unsigned long mi = 0, ma = 0; if (q) sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", &mi, &ma);
  o(",\"minflt\":%lu,\"majflt\":%lu", mi, ma);
  snprintf(p, sizeof p, "/proc/%d/oom_score", pid); slurp(p); o(",\"oom_score\":%d", atoi(BUF));
  snprintf(p, sizeof p, "/proc/%d/status", pid); slurp(p); o(",\"status\":"); pairs(" VmPeak VmSize VmLck VmHWM VmRSS RssAnon RssFile RssShmem VmData VmStk VmExe VmLib VmPTE VmSwap HugetlbPages Threads ", NULL);
  snprintf(p, sizeof p, "/proc/%d/smaps_rollup", pid); slurp(p); o(",\"rollup\":"); pairs(NULL, NULL);
  o(",\"vmas\":"); smaps(pid); o("}"); flush();
}
static void s_machine(const char *label, int full, int with_slab) {
  o("{\"t\":\"machine\",\"label\":\"%s\",\"meminfo\":", label);
  slurp("/proc/meminfo"); size_t l = strlen(BUF); char *keep = BUF + l + 1; memcpy(keep, BUF, l + 1);
  pairs(NULL, " VmallocTotal VmallocChunk DirectMap4k DirectMap2M DirectMap1G Hugepagesize ");
  memmove(BUF, keep, l + 1); o(",\"free\":"); free_line();
  o(",\"vmstat\":"); slurp("/proc/vmstat"); pairs(VMSTAT, NULL);
  if (full) { o(",\"zones\":"); zones(); }
  if (with_slab) { o(",\"slab\":"); slab(); }
  o(",\"psi_memory\":"); psi("/proc/pressure/memory");
  o("}"); flush();
}
static void s_cgroup(const char *label, const char *cg) {
  char p[200];
  o("{\"t\":\"cgroup\",\"label\":\"%s\",\"cg\":\"%s\"", label, cg);
  static const char *one[] = { "memory.current", "memory.peak", "memory.min", "memory.low", "memory.high", "memory.max", NULL };
  for (int i = 0; one[i]; i++) { snprintf(p, sizeof p, "/sys/fs/cgroup/%s/%s", cg, one[i]); if (slurp(p) && strncmp(BUF, "max", 3)) o(",\"%s\":%ld", one[i] + 7, atol(BUF)); }
  snprintf(p, sizeof p, "/sys/fs/cgroup/%s/memory.stat", cg); slurp(p); o(",\"stat\":"); pairs(NULL, NULL);
  snprintf(p, sizeof p, "/sys/fs/cgroup/%s/memory.events", cg); slurp(p); o(",\"events\":"); pairs(NULL, NULL);
  snprintf(p, sizeof p, "/sys/fs/cgroup/%s/memory.events.local", cg); slurp(p); o(",\"events_local\":"); pairs(NULL, NULL);
  snprintf(p, sizeof p, "/sys/fs/cgroup/%s/memory.pressure", cg); o(",\"pressure\":"); psi(p);
  o("}"); flush();
}
static void s_kmsg(const char *label) {
  char line[4096]; int any = 0; ssize_t n;
  while (kmsg >= 0) {
    n = read(kmsg, line, sizeof line - 1);
    if (n < 0 && errno == EPIPE) continue;
    if (n <= 0) break;
    line[n] = 0; char *m = strchr(line, ';'), *e; if (!m) continue;
    if ((e = strchr(m, '\n'))) *e = 0;
    if (!any) o("{\"t\":\"kmsg\",\"label\":\"%s\",\"lines\":[", label);
    o("%s", any ? "," : ""); ostr(m + 1); any = 1;
  }
  if (any) { o("]}"); flush(); }
}
static void sample(const char *label, char **a, int n, int mini) {
  reap();
  if (do_refresh) put("/proc/sys/vm/stat_refresh", "1");
  s_machine(label, !mini, has(a, n, "slab"));
  if (!mini) for (int i = 0; i < nP; i++) if (P[i].alive) s_proc(label, i);
  for (int i = 0; i < nC; i++) if (*Cg[i]) s_cgroup(label, Cg[i]);
  s_kmsg(label);
}
static void tools(const char *label) {   // the real procps, when run.sh packed it: free, ps, pmap of each process
  char cmd[8][64]; int k = 0;
  snprintf(cmd[k++], 64, "free -k"); snprintf(cmd[k++], 64, "free -m"); snprintf(cmd[k++], 64, "ps -o pid,comm,vsz,rss,pmem,min_flt,maj_flt --ppid 1");
  snprintf(cmd[k++], 64, "vmstat"); int base = k;
  for (int j = 0; j < base + nP; j++) {
    char c[80]; if (j < base) snprintf(c, sizeof c, "%s", cmd[j]); else { if (!P[j - base].alive) continue; snprintf(c, sizeof c, "pmap -x %d", P[j - base].pid); }
    char show[80]; snprintf(show, sizeof show, "%s", c);
    char *a[16]; split(c, a, 16); char path[64]; snprintf(path, sizeof path, "/bin/%s", a[0]);
    int pp[2]; if (pipe(pp)) return;
    pid_t pid = vfork();
    if (!pid) { dup2(pp[1], 1); dup2(pp[1], 2); char *ev[] = { "COLUMNS=200", "TERM=dumb", NULL }; execve(path, a, ev); _exit(97); }
    close(pp[1]); long got = 0, r; while ((r = read(pp[0], BUF + got, BUFMAX - 1 - got)) > 0) got += r;
    BUF[got] = 0; close(pp[0]); int st; waitpid(pid, &st, 0);
    o("{\"t\":\"tool\",\"label\":\"%s\",\"cmd\":", label); ostr(show); o(",\"out\":"); ostr(BUF); o("}"); flush();
  }
}

static void load_modules(const char *list) {   // one path a line, in order
  FILE *f = fopen(list, "r"); char l[200]; if (!f) return;
  while (fgets(l, sizeof l, f)) {
    l[strcspn(l, "\n")] = 0; int fd = open(l, O_RDONLY); if (fd < 0) continue;
    if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST) fprintf(stderr, "module %s: %s\n", l, strerror(errno));
    close(fd); unlink(l);
  }
  fclose(f);
}

static void run_line(char *line) {
  char keep[480], *a[32]; snprintf(keep, sizeof keep, "%s", line); keep[strcspn(keep, "\n")] = 0;
  char *h = strstr(line, " #"); if (h) *h = 0;
  if (line[0] == '#') return;
  int n = split(line, a, 32); if (!n) return;
  step++;
  struct reply r = {0}; long t0 = now_us(); int async = 0;
  const char *op = a[0];
  if (IS("sample") || IS("msample")) { sample(a[1], a + 2, n - 2, IS("msample")); return; }
  if (IS("tools")) { tools(a[1]); return; }
  if (IS("note")) { stepline(keep, "note", NULL); return; }
  if (IS("refresh")) { do_refresh = atoi(a[1]); return; }
  if (IS("end")) return;
  if (IS("sleep")) {
    long end = now_us() + atol(a[1]) * 1000, left;
    while ((left = end - now_us()) > 0) { struct timespec ts = { left / 1000000, left % 1000000 * 1000 }; nanosleep(&ts, NULL); }
    reap();
  } else if (IS("drop_caches")) r.ret = put("/proc/sys/vm/drop_caches", a[1]);
  else if (IS("sync")) sync();
  else if (IS("set")) {                      // set PATH VALUE: /proc/sys/ or an absolute path
    char p[200]; snprintf(p, sizeof p, "%s%s", a[1][0] == '/' ? "" : "/proc/sys/", a[1]); r.ret = put(p, a[2]);
  } else if (IS("cat")) {
    o("{\"t\":\"cat\",\"step\":%d,\"path\":\"%s\",\"text\":", step, a[1]); if (!slurp(a[1])) BUF[0] = 0; ostr(BUF); o("}"); flush(); return;
  } else if (IS("mount")) { mkdir(a[2], 0755); r.ret = R(mount(a[1], a[2], a[1], 0, n > 3 ? a[3] : NULL)); }
  else if (IS("swap")) {                     // swap SIZE|off [zram [fill=N]]: a file on the disk, or compressed memory; of each page touched from now on N bytes are noise
    if (!strcmp(a[1], "off")) r.ret = R(swapoff(access("/dev/zram0", F_OK) ? "/mnt/.swap" : "/dev/zram0"));
    else if (has(a, n, "zram")) {
      fill_bytes = size_of(opt(a, n, "fill"));
      load_modules("/zram.list");
      for (int i = 0; i < 200 && access("/dev/zram0", F_OK); i++) usleep(10000);
      char size[32]; snprintf(size, sizeof size, "%ld", size_of(a[1])); r.ret = put("/sys/block/zram0/disksize", size);
      unsigned *info = (unsigned *)(BUF + 1024); memset(BUF, 0, 4096); info[0] = 1; info[1] = size_of(a[1]) / 4096 - 1; memcpy(BUF + 4086, "SWAPSPACE2", 10);
      int fd = open("/dev/zram0", O_RDWR);
      if (!r.ret && (pwrite(fd, BUF, 4096, 0) < 0 || fsync(fd))) r.ret = -errno;
      close(fd); if (!r.ret) r.ret = R(swapon("/dev/zram0", 0));
    } else {
      long len = size_of(a[1]); int fd = open("/mnt/.swap", O_RDWR | O_CREAT | O_TRUNC, 0600);
      unsigned *info = (unsigned *)(BUF + 1024); memset(BUF, 0, 4096); info[0] = 1; info[1] = len / 4096 - 1; memcpy(BUF + 4086, "SWAPSPACE2", 10);
      r.ret = R(fallocate(fd, 0, 0, len));
      if (!r.ret) { if (pwrite(fd, BUF, 4096, 0) < 0 || fsync(fd)) r.ret = -errno; posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); }
      close(fd); if (!r.ret) r.ret = R(swapon("/mnt/.swap", 0));
    }
  } else if (IS("cgroup")) {                   // cgroup C max=10M high=5M low= min= group=1
    char p[200]; snprintf(p, sizeof p, "/sys/fs/cgroup/%s", a[1]);
    if (mkdir(p, 0755) == 0) { snprintf(Cg[nC++], sizeof Cg[0], "%s", a[1]); snprintf(p, sizeof p, "/sys/fs/cgroup/%s/cgroup.subtree_control", a[1]); if (has(a, n, "parent")) put(p, "+memory"); }
    for (int i = 2; i < n; i++) {
      char *e = strchr(a[i], '='), v[32]; if (!e) continue;
      *e = 0; snprintf(p, sizeof p, "/sys/fs/cgroup/%s/memory.%s", a[1], !strcmp(a[i], "group") ? "oom.group" : a[i]);
      if (isdigit((unsigned char)e[1])) snprintf(v, sizeof v, "%ld", size_of(e + 1)); else snprintf(v, sizeof v, "%s", e + 1);
      int x = put(p, v); if (x) r.ret = x;
    }
  } else if (IS("rmcgroup")) { char p[200]; snprintf(p, sizeof p, "/sys/fs/cgroup/%s", a[1]); r.ret = R(rmdir(p)); for (int i = 0; i < nC; i++) if (!strcmp(Cg[i], a[1])) Cg[i][0] = 0; }
  else if (IS("new")) { for (int i = 1; i < n; i++) new_proc(a[i]); }
  else if (IS("kill")) { int i = find_p(a[1]); if (i >= 0 && P[i].alive) { kill(P[i].pid, SIGKILL); while (P[i].alive) { struct pollfd f = { sigfd, POLLIN, 0 }; poll(&f, 1, 1000); reap(); } } }
  else if (IS("wait")) {                     // wait P [ms]: collect the reply of an async command
    int i = find_p(a[1]); if (i < 0) return;
    if (!P[i].busy) { stepline(keep, P[i].alive ? "idle" : "dead", NULL); return; }
    int got = await(i, &r, n > 2 ? atoi(a[2]) : 120000);
    if (got == 1) P[i].busy = 0;
    stepline(got == 1 ? P[i].busycmd : keep, got == 1 ? "done" : got == 0 ? "died" : "still-running", got == 1 ? &r : NULL); return;
  } else {                                   // [async] P OP ...
    if (IS("async")) { async = 1; memmove(a, a + 1, sizeof *a * n); n--; }
    int i = find_p(a[0]);
    if (i < 0 || n < 2) { stepline(keep, "unknown", NULL); return; }
    if (!P[i].alive) { stepline(keep, "dead", NULL); return; }
    if (P[i].busy) { stepline(keep, "busy", NULL); return; }
    char pp[80];
    if (!strcmp(a[1], "into")) { char v[16]; snprintf(v, sizeof v, "%d", P[i].pid); snprintf(pp, sizeof pp, "/sys/fs/cgroup/%s/cgroup.procs", strcmp(a[2], "/") ? a[2] : ""); r.ret = put(pp, v); }
    else if (!strcmp(a[1], "oom_score_adj")) { snprintf(pp, sizeof pp, "/proc/%d/oom_score_adj", P[i].pid); r.ret = put(pp, a[2]); }
    else if (!strcmp(a[1], "clear_refs")) { snprintf(pp, sizeof pp, "/proc/%d/clear_refs", P[i].pid); r.ret = put(pp, a[2]); }
    else {
      int kid = !strcmp(a[1], "fork") ? add_p(a[2]) : 0;
      send_cmd(i, a + 1, n - 1, kid);
      if (async) { P[i].busy = 1; snprintf(P[i].busycmd, sizeof P[i].busycmd, "%s", keep + 6); stepline(keep, "started", NULL); return; }
      int got = await(i, &r, 120000);
      if (got == 1 && kid && r.ret > 0) {
        struct reply k; P[kid].pid = r.ret; P[kid].alive = 1; await(kid, &k, 60000);
        r.ret = 0;
      }
      if (got == -1) { P[i].busy = 1; snprintf(P[i].busycmd, sizeof P[i].busycmd, "%s", keep); }
      if (got == 1 && !strcmp(a[1], "exit")) await(i, &r, 60000);
      stepline(keep, got == 0 ? (strcmp(a[1], "exit") ? "died" : NULL) : got < 0 ? "still-running" : NULL, got == 1 ? &r : NULL); return;
    }
  }
  r.us = now_us() - t0;
  if (r.ret < 0) r.err = -r.ret;
  stepline(keep, NULL, &r);
}

int main(int ac, char **av) {
  if (ac > 1 && !strcmp(av[0], "worker")) { sigset_t s; sigfillset(&s); sigprocmask(SIG_UNBLOCK, &s, NULL); prctl(PR_SET_NAME, av[2]); worker(atoi(av[1])); }
  mkdir("/proc", 0755); mkdir("/sys", 0755); mkdir("/dev", 0755); mkdir("/mnt", 0755);
  mount("proc", "/proc", "proc", 0, NULL); mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL); mkdir("/dev/shm", 0777);
  mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
  put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
  load_modules("/modules.list");
  mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL); mkdir("/tmp", 0777);
  for (int i = 0; i < 200 && access("/dev/vda", F_OK) && access("/dev/pmem0", F_OK); i++) usleep(10000);
  int disk = mount("/dev/vda", "/mnt", "ext4", MS_NOATIME, NULL) == 0 || mount("/dev/pmem0", "/mnt", "ext4", MS_NOATIME, NULL) == 0;
  struct rlimit rl = { 1000000, 1000000 }; put("/proc/sys/fs/nr_open", "1048576"); setrlimit(RLIMIT_NOFILE, &rl);
  struct rlimit ml = { RLIM_INFINITY, RLIM_INFINITY }; setrlimit(RLIMIT_MEMLOCK, &ml);
  OUT = malloc(OUTMAX); BUF = malloc(BUFMAX); memset(OUT, 1, OUTMAX); memset(BUF, 1, BUFMAX);
  port_ok = ioperm(0xe9, 1, 1) == 0;
  sigset_t s; sigemptyset(&s); sigaddset(&s, SIGCHLD); sigprocmask(SIG_BLOCK, &s, NULL);
  sigfd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);

  FILE *f = fopen("/scenario.txt", "r"); static char text[65536]; size_t tn = f ? fread(text, 1, sizeof text - 1, f) : 0; text[tn] = 0; if (f) fclose(f);
  unlink("/scenario.txt");
  // how many processes: every name after `new` or `fork`
  int np = 0; { char *t = strdup(text); for (char *w = strtok(t, " \t\n"), *pr = ""; w; pr = w, w = strtok(NULL, " \t\n")) if (!strcmp(pr, "fork") || !strcmp(pr, "new") || np) np += !strcmp(pr, "fork") || !strcmp(pr, "new"); free(t); }
  for (char *l = strstr(text, "new "); l; l = strstr(l + 4, "new ")) for (char *q = l + 4; *q && *q != '\n'; q++) np += *q == ' ';
  if (np > MAXP - 1) np = MAXP - 1;
  for (int i = 0; i <= np; i++) for (int k = 0; k < 2; k++) { int pp[2]; if (pipe(pp)) break; dup2(pp[0], FD0 + 4 * i + 2 * k); dup2(pp[1], FD0 + 4 * i + 2 * k + 1); close(pp[0]); close(pp[1]); }
  sync(); put("/proc/sys/vm/drop_caches", "3");
  kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC); if (kmsg >= 0) lseek(kmsg, 0, SEEK_END);

  struct utsname u; uname(&u);
  o("{\"t\":\"head\",\"kernel\":\"%s\",\"version\":", u.release); ostr(u.version);
  o(",\"disk\":%s,\"boot_ms\":%ld,\"cmdline\":", disk ? "true" : "false", now_us() / 1000); slurp("/proc/cmdline"); BUF[strcspn(BUF, "\n")] = 0; ostr(BUF);
  o(",\"thp\":"); slurp("/sys/kernel/mm/transparent_hugepage/enabled"); BUF[strcspn(BUF, "\n")] = 0; ostr(BUF); o("}"); flush();
  for (char *l = text; l && *l; ) { char *nl = strchr(l, '\n'), one[480]; snprintf(one, sizeof one, "%.*s", (int)(nl ? nl - l : (long)strlen(l)), l); run_line(one); l = nl ? nl + 1 : NULL; }
  s_kmsg("end");
  o("{\"t\":\"end\",\"step\":%d}", step); flush();
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
