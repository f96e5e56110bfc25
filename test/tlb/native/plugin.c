/*
 * A plugin of qemu-x86_64 (API version 1): loads and stores of the instructions in [from, to) of a program through a data TLB of two levels, both with least
 * recently used replacement. Says what the program's accesses were served by. Prototypes are declared here: the distribution has no header.
 *
 *     qemu-x86_64 -plugin ./plugin.so,l1=64,l1ways=64,l2=2048,l2ways=16,from=0x401000,to=0x401100 -d plugin ./program
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct block;
struct instruction;
#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
size_t qemu_plugin_tb_n_insns(const struct block *);
struct instruction *qemu_plugin_tb_get_insn(const struct block *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct instruction *);
void qemu_plugin_register_vcpu_mem_cb(struct instruction *, void (*)(unsigned, uint32_t, uint64_t, void *), int, int, void *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
typedef void on_syscall(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_syscall *);
void qemu_plugin_register_vcpu_syscall_ret_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, int64_t));
void qemu_plugin_outs(const char *);

struct way { uint64_t page, used; };
static struct way l1[4096], l2[65536];
static unsigned l1_entries = 64, l1_ways = 64, l2_entries = 2048, l2_ways = 16;
static uint64_t now, l1_misses, walks, from, to = UINT64_MAX;

/* Whether the page was in its set; it is now. */
static int use(struct way *ways, unsigned entries, unsigned width, uint64_t page) {
	struct way *set = ways + (page % (entries / width)) * width;
	unsigned oldest = 0;
	for (unsigned i = 0; i < width; i++) {
		if (set[i].page == page + 1) {
			set[i].used = now;
			return 1;
		}
		if (set[i].used < set[oldest].used) oldest = i;
	}
	set[oldest].page = page + 1;
	set[oldest].used = now;
	return 0;
}

static void access_page(unsigned cpu, uint32_t info, uint64_t address, void *data) {
	now++;
	if (use(l1, l1_entries, l1_ways, address >> 12)) return;
	l1_misses++;
	if (!use(l2, l2_entries, l2_ways, address >> 12)) walks++;
	(void)cpu, (void)info, (void)data;
}

/* As the kernel flushes: page by page, or everything where they are more than 33. */
static void flush(uint64_t start, uint64_t end) {
	uint64_t first = start >> 12, last = (end - 1) >> 12;
	int all = last - first + 1 > 33;
	for (unsigned i = 0; i < l1_entries; i++) if (all || (l1[i].page > first && l1[i].page <= last + 1)) l1[i].page = l1[i].used = 0;
	for (unsigned i = 0; i < l2_entries; i++) if (all || (l2[i].page > first && l2[i].page <= last + 1)) l2[i].page = l2[i].used = 0;
}

static uint64_t program_break;
static void on_call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
	if ((number == 11 || number == 28) && a2 > 0) flush(a1, a1 + a2);
	if (number == 12 && a1 != 0 && a1 < program_break) flush((a1 + 4095) & ~4095ul, program_break);
	(void)id, (void)cpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
}
static void on_return(plugin_id id, unsigned cpu, int64_t number, int64_t result) {
	if (number == 12) program_break = (uint64_t)result;
	(void)id, (void)cpu;
}

static void translate(plugin_id id, struct block *block) {
	for (size_t i = 0, n = qemu_plugin_tb_n_insns(block); i < n; i++) {
		struct instruction *instruction = qemu_plugin_tb_get_insn(block, i);
		uint64_t at = qemu_plugin_insn_vaddr(instruction);
		if (at >= from && at < to) qemu_plugin_register_vcpu_mem_cb(instruction, access_page, 0, 3, NULL);
	}
	(void)id;
}

static void report(plugin_id id, void *data) {
	char text[128];
	snprintf(text, sizeof text, "accesses %lu l1-misses %lu walks %lu\n", (unsigned long)now, (unsigned long)l1_misses, (unsigned long)walks);
	qemu_plugin_outs(text);
	(void)id, (void)data;
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
	for (int i = 0; i < argc; i++) {
		sscanf(argv[i], "l1=%u", &l1_entries);
		sscanf(argv[i], "l1ways=%u", &l1_ways);
		sscanf(argv[i], "l2=%u", &l2_entries);
		sscanf(argv[i], "l2ways=%u", &l2_ways);
		sscanf(argv[i], "from=%lx", (unsigned long *)&from);
		sscanf(argv[i], "to=%lx", (unsigned long *)&to);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, report, NULL);
	qemu_plugin_register_vcpu_syscall_cb(id, on_call);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, on_return);
	(void)info;
	return 0;
}
