/*
 * Why a program's file cannot be recorded: NULL, or a few words; behind a `~`, why it can be only in part. Reads the file's
 * headers; follows a script's first line.
 */
#ifndef ALLOCSIM_PROGRAM_FILE_H
#define ALLOCSIM_PROGRAM_FILE_H
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its loader would refuse the recorder's library, and end the program: it must not be preloaded. */
#define MUSL_OBSTACLE "it runs on musl, whose loader and malloc are not glibc's"

/* Whether the notes hold one of this owner. */
static inline int has_note(int fd, off_t at, uint64_t bytes, const char *owner)
{
	for (uint64_t done = 0; done + sizeof(Elf64_Nhdr) <= bytes;) {
		Elf64_Nhdr n;
		char name[8] = "";
		if (pread(fd, &n, sizeof n, at + (off_t)done) != sizeof n) return 0;
		size_t length = n.n_namesz < sizeof name ? n.n_namesz : sizeof name - 1;
		if (pread(fd, name, length, at + (off_t)(done + sizeof n)) == (ssize_t)length && !strcmp(name, owner)) return 1;
		done += sizeof n + ((n.n_namesz + 3ull) & ~3ull) + ((n.n_descsz + 3ull) & ~3ull);
	}
	return 0;
}

static inline const char *loader_obstacle(const char *loader)
{
	if (strstr(loader, "ld-musl")) return MUSL_OBSTACLE;
	if (!strstr(loader, "ld-linux") && !strstr(loader, "ld64")) return "its loader is not glibc's";
	return NULL;
}

static inline const char *elf_obstacle(int fd, const char *bytes, ssize_t length)
{
	Elf64_Ehdr h;
	memcpy(&h, bytes, sizeof h);
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64) return "it is a program for another processor (or of 32 bits)";
	int has_loader = 0, is_go = 0;
	const char *why = NULL;
	for (int i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;
		off_t at = (off_t)(h.e_phoff + (uint64_t)i * sizeof p);
		if (pread(fd, &p, sizeof p, at) != sizeof p) break;
		if (p.p_type == PT_INTERP) {
			char loader[256] = "";
			ssize_t n = pread(fd, loader, sizeof loader - 1, (off_t)p.p_offset);
			has_loader = n > 0;
			why = loader_obstacle(loader);
		} else if (p.p_type == PT_NOTE) {
			if (has_note(fd, (off_t)p.p_offset, p.p_filesz, "Go")) is_go = 1;
		}
	}
	(void)length;
	if (is_go && !why) return has_loader ? "~Go's own heap is not seen, only what comes from malloc" : "it is a static Go program";
	return has_loader ? why : "it is linked statically";
}

static inline const char *file_obstacle(const char *path, int depth)
{
	char bytes[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return NULL;
	struct stat st;
	const char *why = NULL;
	ssize_t n = pread(fd, bytes, sizeof bytes - 1, 0);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && n > 2) {
		bytes[n] = 0;
		if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) || (st.st_mode & S_ISGID && st.st_gid != getegid()))
			why = "it is setuid: the loader does not preload into it";
		else if (n >= (ssize_t)sizeof(Elf64_Ehdr) && !memcmp(bytes, ELFMAG, SELFMAG))
			why = elf_obstacle(fd, bytes, n);
		else if (bytes[0] == '#' && bytes[1] == '!' && depth < 4) {
			char *from = bytes + 2;
			while (*from == ' ' || *from == '\t') from++;
			from[strcspn(from, " \t\r\n")] = 0;
			why = file_obstacle(from, depth + 1);
		}
	}
	close(fd);
	return why;
}

/* The file that a name means, as execvp looks for it. */
static inline const char *find_program(const char *name, const char *paths, char *room, size_t size)
{
	if (strchr(name, '/')) return name;
	if (!paths) paths = "/bin:/usr/bin";
	for (const char *at = paths;;) {
		size_t n = strcspn(at, ":");
		if (n + strlen(name) + 2 < size) {
			memcpy(room, at, n);
			room[n] = '/';
			strcpy(room + n + (n > 0), name);
			if (n == 0) strcpy(room, name);
			if (access(room, X_OK) == 0) return room;
		}
		if (at[n] == 0) return NULL;
		at += n + 1;
	}
}

#endif
