#include "patch.h"
#include "recorder.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JUMP_BYTES 5
/* The longest start: four bytes of instructions, and one of up to 15. */
#define START_MAX 19
/* jmp *own with its address, the start, jmp. */
#define PLACE_BYTES 48

/* An instruction at a function's start. */
struct instruction {
	int length;
	int relative_at; /* where in it four bytes are a distance from its end; 0: nowhere */
};

/* Length of the operand's encoding behind the opcode, from its ModRM byte on. */
static int operand_length(const unsigned char *modrm, int *is_relative)
{
	int mod = *modrm >> 6, rm = *modrm & 7, length = 1;
	*is_relative = 0;
	if (mod == 3) return length;
	if (rm == 4) {
		if (mod == 0 && (modrm[1] & 7) == 5) length += 4;
		length++;
	} else if (mod == 0 && rm == 5) {
		*is_relative = 1;
		length += 4;
	}
	return length + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* Of the instructions that compilers begin functions with; length 0: it is another one. Intel's manual, volume 2, appendix A. */
static struct instruction decode(const unsigned char *at)
{
	const unsigned char *p = at;
	struct instruction found = { 0, 0 }, other = { 0, 0 };
	int has_wide_operand = 0, immediate = 0, has_operand = 1, is_relative = 0;
	if (!memcmp(p, "\xf3\x0f\x1e\xfa", 4)) return (struct instruction){ 4, 0 }; /* endbr64 */
	if (*p == 0x66) p++;
	if ((*p & 0xf0) == 0x40) has_wide_operand = *p++ & 8;
	unsigned char op = *p++;
	if (op >= 0x50 && op <= 0x5f) has_operand = 0; /* push, pop */
	else if (op == 0x90) has_operand = 0;
	else if (op < 0x40 && (op & 7) < 4) {} /* add, or, adc, sbb, and, sub, xor, cmp */
	else if (op < 0x40 && (op & 7) == 5) has_operand = 0, immediate = 4;
	else if (op == 0x63 || op == 0x84 || op == 0x85 || (op >= 0x88 && op <= 0x8b) || op == 0x8d) {}
	else if (op == 0x81 || op == 0xc7) immediate = 4;
	else if (op == 0x80 || op == 0x83 || op == 0xc6 || op == 0xc1) immediate = 1;
	else if (op == 0xd1 || op == 0xd3) {}
	else if (op == 0xf7 && (*p >> 3 & 7) >= 2) {} /* not, neg, mul, imul, div, idiv */
	else if (op >= 0xb8 && op <= 0xbf) has_operand = 0, immediate = has_wide_operand ? 8 : 4;
	else if (op == 0xe8 || op == 0xe9) has_operand = 0, immediate = 4, is_relative = 1;
	else if (op == 0x0f && (*p & 0xf0) == 0x80) p++, has_operand = 0, immediate = 4, is_relative = 1; /* jumps on conditions */
	else if (op == 0x0f && (*p == 0x1f || *p == 0xb6 || *p == 0xb7 || *p == 0xbe || *p == 0xbf || *p == 0xaf || *p == 0xbd)) p++;
	else return other;
	if (at[0] == 0x66 && immediate == 4 && !is_relative) return other; /* its immediate has two bytes */
	if (has_operand) {
		int operand_is_relative;
		int length = operand_length(p, &operand_is_relative);
		if (operand_is_relative) found.relative_at = (int)(p + 1 - at);
		p += length;
	} else if (is_relative) {
		found.relative_at = (int)(p - at);
	}
	found.length = (int)(p - at) + immediate;
	return found;
}

/* How many bytes of the function make way; 0: they cannot. */
static int start_length(const unsigned char *function)
{
	int length = 0;
	while (length < JUMP_BYTES) {
		struct instruction i = decode(function + length);
		if (i.length == 0) return 0;
		int leaves = function[length] == 0xe9 || function[length] == 0xc3;
		length += i.length;
		if (leaves && length < JUMP_BYTES) return 0; /* what follows is another function */
	}
	return length;
}

static int put_distance(unsigned char *at, const unsigned char *target, const unsigned char *from)
{
	int64_t distance = target - from;
	int32_t four = (int32_t)distance;
	memcpy(at, &four, 4);
	return four == distance;
}

/* Writes the place of a patch; 0: something is too far away. */
static int write_place(unsigned char *place, const struct patch *p, int length)
{
	const unsigned char *function = p->function;
	unsigned char *original = place + 14, *to = original;
	memcpy(place, "\xff\x25\0\0\0\0", 6);
	memcpy(place + 6, &p->own, 8);
	for (int done = 0; done < length;) {
		struct instruction i = decode(function + done);
		memcpy(to, function + done, (size_t)i.length);
		if (i.relative_at) {
			int32_t distance;
			memcpy(&distance, function + done + i.relative_at, 4);
			if (!put_distance(to + i.relative_at, function + done + i.length + distance, to + i.length)) return 0;
		}
		done += i.length;
		to += i.length;
	}
	*to = 0xe9;
	*p->original = original;
	return put_distance(to + 1, function + length, to + 5);
}

/* Room near all of the functions: in the first hole below them, or above. */
static unsigned char *map_near(uintptr_t lowest, uintptr_t highest, size_t bytes)
{
	uintptr_t reach = (1ul << 31) - (1ul << 24), step = 1ul << 20;
	for (uintptr_t distance = step; distance < reach; distance += step) {
		uintptr_t below = (lowest & ~(step - 1)) - distance, above = (highest & ~(step - 1)) + distance;
		for (int is_above = 0; is_above < 2; is_above++) {
			uintptr_t wanted = is_above ? above : below;
			if (wanted + reach < highest || wanted > lowest + reach || (!is_above && distance > lowest)) continue;
			void *p = mmap((void *)wanted, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (p == (void *)wanted) return p;
			if (p != MAP_FAILED) munmap(p, bytes); /* a kernel that knows no MAP_FIXED_NOREPLACE */
		}
	}
	return NULL;
}

static void overwrite(const struct patch *p, const unsigned char *place, int length)
{
	unsigned char *function = p->function;
	function[0] = 0xe9;
	put_distance(function + 1, place, function + JUMP_BYTES);
	memset(function + JUMP_BYTES, 0xcc, (size_t)length - JUMP_BYTES);
}

const char *put_in_front(const struct patch *patches, size_t count)
{
	uintptr_t lowest = UINTPTR_MAX, highest = 0, page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (count * PLACE_BYTES + page - 1) & ~(page - 1);
	for (size_t i = 0; i < count; i++) {
		uintptr_t at = (uintptr_t)patches[i].function;
		if (!start_length(patches[i].function)) return "!its functions begin with instructions that the recorder does not know";
		if (at < lowest) lowest = at;
		if (at > highest) highest = at;
	}
	if (highest - lowest > 1ul << 30) return "!its functions lie too far from each other";
	unsigned char *near = map_near(lowest, highest, bytes);
	if (!near) return "!there is no room near its functions";
	int lengths[count];
	void *first = (void *)(lowest & ~(page - 1));
	size_t code_bytes = ((highest + START_MAX + page - 1) & ~(page - 1)) - (uintptr_t)first;
	int is_fine = 1;
	for (size_t i = 0; i < count && is_fine; i++) {
		lengths[i] = start_length(patches[i].function);
		is_fine = write_place(near + i * PLACE_BYTES, &patches[i], lengths[i]);
	}
	if (!is_fine || mprotect(near, bytes, PROT_READ | PROT_EXEC) ||
	    mprotect(first, code_bytes, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		munmap(near, bytes);
		return is_fine ? "its code may not be written to" : "its functions could not be moved";
	}
	for (size_t i = 0; i < count; i++) overwrite(&patches[i], near + i * PLACE_BYTES, lengths[i]);
	mprotect(first, code_bytes, PROT_READ | PROT_EXEC);
	return NULL;
}
