/*
 * The rule of one address from .eh_frame_hdr and .eh_frame (Linux Standard Base, Core: Exception Frames; DWARF 5, 6.4). Of
 * the registers only those are followed that a walk needs: stack, frame and return address.
 */
#include "unwind.h"
#include <string.h>

enum where { SAME, UNDEFINED, AT_OFFSET, BY_EXPRESSION, ELSEWHERE };

struct saved {
	enum where where;
	int64_t offset;
	const unsigned char *expression;
};

struct row {
	int base;                          /* the register; -1: by expression */
	int64_t offset;
	const unsigned char *expression;
	struct saved frame, ra;
};

struct reader {
	const unsigned char *at, *end;
};

struct cie {
	const unsigned char *instructions, *end;
	uint64_t code_unit;
	int64_t data_unit;
	unsigned char encoding;
	int is_signal, has_augmentation;
};

static uint64_t get_unsigned(struct reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; r->at < r->end; shift += 7) {
		unsigned char byte = *r->at++;
		if (shift < 64) value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) break;
	}
	return value;
}

static int64_t get_signed(struct reader *r)
{
	uint64_t value = 0;
	unsigned shift = 0;
	unsigned char byte = 0;
	while (r->at < r->end) {
		byte = *r->at++;
		if (shift < 64) value |= (uint64_t)(byte & 127) << shift;
		shift += 7;
		if (byte < 128) break;
	}
	if ((byte & 64) && shift < 64) value |= ~0ull << shift;
	return (int64_t)value;
}

static uint64_t get_fixed(struct reader *r, size_t bytes)
{
	uint64_t value = 0;
	if (r->end - r->at < (ptrdiff_t)bytes) {
		r->at = r->end;
		return 0;
	}
	memcpy(&value, r->at, bytes);
	r->at += bytes;
	return value;
}

/* DW_EH_PE: the low four bits say how it is stored, the next three what it is relative to. */
static int get_pointer(struct reader *r, unsigned char encoding, uint64_t *value)
{
	const unsigned char *place = r->at;
	switch (encoding & 15) {
	case 0: case 4: case 12: *value = get_fixed(r, 8); break;
	case 1: *value = get_unsigned(r); break;
	case 2: *value = get_fixed(r, 2); break;
	case 3: *value = get_fixed(r, 4); break;
	case 9: *value = (uint64_t)get_signed(r); break;
	case 10: *value = (uint64_t)(int64_t)(int16_t)get_fixed(r, 2); break;
	case 11: *value = (uint64_t)(int64_t)(int32_t)get_fixed(r, 4); break;
	default: return 0;
	}
	if ((encoding & 0x70) == 0x10) *value += (uint64_t)(uintptr_t)place;
	else if (encoding & 0x70) return 0;
	return 1;
}

static int read_cie(const unsigned char *at, struct cie *cie)
{
	struct reader r = { at, at + 4 };
	uint64_t length = get_fixed(&r, 4), skipped;
	if (length == 0 || length == 0xffffffff) return 0;
	r.end = at + 4 + length;
	if (get_fixed(&r, 4) != 0) return 0;
	unsigned version = (unsigned)get_fixed(&r, 1);
	const char *augmentation = (const char *)r.at;
	r.at += strlen(augmentation) + 1;
	cie->code_unit = get_unsigned(&r);
	cie->data_unit = get_signed(&r);
	if (version == 1) get_fixed(&r, 1);
	else get_unsigned(&r);
	cie->encoding = 0;
	cie->is_signal = 0;
	cie->has_augmentation = augmentation[0] == 'z';
	cie->end = r.end;
	if (!cie->has_augmentation) {
		cie->instructions = r.at;
		return augmentation[0] == 0;
	}
	uint64_t bytes = get_unsigned(&r);
	cie->instructions = r.at + bytes;
	for (const char *a = augmentation + 1; *a; a++) {
		if (*a == 'R') cie->encoding = (unsigned char)get_fixed(&r, 1);
		else if (*a == 'L') get_fixed(&r, 1);
		else if (*a == 'S') cie->is_signal = 1;
		else if (*a == 'P') {
			unsigned char encoding = (unsigned char)get_fixed(&r, 1);
			if (!get_pointer(&r, encoding & 0x0f, &skipped)) return 0;
		} else if (*a != 'B') return 0;
	}
	return 1;
}

/* The entry of the sorted table behind the header that covers the address. */
static const unsigned char *find_fde(const struct module *m, uintptr_t address)
{
	const unsigned char *header = m->eh_frame_header;
	struct reader r = { header + 4, header + 64 };
	uint64_t frames, count;
	/* version 1; pairs of 32 bits relative to the header */
	if (!header || header[0] != 1 || header[3] != 0x3b || !get_pointer(&r, header[1], &frames)) return NULL;
	if (!get_pointer(&r, header[2], &count) || count == 0) return NULL;
	const int32_t *table = (const int32_t *)r.at;
	int64_t wanted = (int64_t)(address - (uintptr_t)header);
	uint64_t low = 0, high = count;
	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;
		if (table[2 * middle] <= wanted) low = middle;
		else high = middle;
	}
	return table[2 * low] <= wanted ? header + table[2 * low + 1] : NULL;
}

static struct saved *saved_of(struct row *row, uint64_t reg)
{
	return reg == REGISTER_FRAME ? &row->frame : reg == REGISTER_RETURN ? &row->ra : NULL;
}

static void save(struct row *row, uint64_t reg, enum where where, int64_t offset, const unsigned char *expression)
{
	struct saved *s = saved_of(row, reg);
	if (s) *s = (struct saved){ where, offset, expression };
}

static void restore(struct row *row, const struct row *initial, uint64_t reg)
{
	struct saved *s = saved_of(row, reg);
	if (s) *s = reg == REGISTER_FRAME ? initial->frame : initial->ra;
}

static const unsigned char *skip_block(struct reader *r)
{
	const unsigned char *begin = r->at;
	uint64_t length = get_unsigned(r);
	r->at = length < (uint64_t)(r->end - r->at) ? r->at + length : r->end;
	return begin;
}

/* Instructions that change registers' rules. 0: unknown. */
static int run_extended(unsigned char op, struct reader *r, const struct cie *cie, struct row *row, const struct row *initial)
{
	uint64_t reg;
	switch (op) {
	case 0x00: case 0x2d: return 1; /* nop; how return addresses are signed */
	case 0x05: reg = get_unsigned(r); save(row, reg, AT_OFFSET, (int64_t)get_unsigned(r) * cie->data_unit, NULL); return 1;
	case 0x06: restore(row, initial, get_unsigned(r)); return 1;
	case 0x07: save(row, get_unsigned(r), UNDEFINED, 0, NULL); return 1;
	case 0x08: save(row, get_unsigned(r), SAME, 0, NULL); return 1;
	case 0x09: save(row, get_unsigned(r), ELSEWHERE, 0, NULL); get_unsigned(r); return 1;
	case 0x0c: row->base = (int)get_unsigned(r); row->offset = (int64_t)get_unsigned(r); return 1;
	case 0x0d: row->base = (int)get_unsigned(r); return 1;
	case 0x0e: row->offset = (int64_t)get_unsigned(r); return 1;
	case 0x0f: row->base = -1; row->expression = skip_block(r); return 1;
	case 0x10: reg = get_unsigned(r); save(row, reg, BY_EXPRESSION, 0, skip_block(r)); return 1;
	case 0x11: reg = get_unsigned(r); save(row, reg, AT_OFFSET, get_signed(r) * cie->data_unit, NULL); return 1;
	case 0x12: row->base = (int)get_unsigned(r); row->offset = get_signed(r) * cie->data_unit; return 1;
	case 0x13: row->offset = get_signed(r) * cie->data_unit; return 1;
	case 0x14: save(row, get_unsigned(r), ELSEWHERE, 0, NULL); get_unsigned(r); return 1;
	case 0x15: save(row, get_unsigned(r), ELSEWHERE, 0, NULL); get_signed(r); return 1;
	case 0x16: save(row, get_unsigned(r), ELSEWHERE, 0, NULL); skip_block(r); return 1;
	case 0x2e: get_unsigned(r); return 1;
	case 0x2f: reg = get_unsigned(r); save(row, reg, AT_OFFSET, -(int64_t)get_unsigned(r) * cie->data_unit, NULL); return 1;
	default: return 0;
	}
}

/* Runs until the row of `address`, where code begins at `location`. */
static int run(struct reader r, const struct cie *cie, uint64_t location, uint64_t address, struct row *row,
               const struct row *initial)
{
	struct row remembered[8];
	int depth = 0;
	while (r.at < r.end) {
		unsigned char op = *r.at++;
		uint64_t step = 0, low = op & 63;
		if (op >> 6 == 1) step = low * cie->code_unit;
		else if (op >> 6 == 2) save(row, low, AT_OFFSET, (int64_t)get_unsigned(&r) * cie->data_unit, NULL);
		else if (op >> 6 == 3) restore(row, initial, low);
		else if (op == 0x01) {
			uint64_t to;
			if (!get_pointer(&r, cie->encoding, &to)) return 0;
			step = to - location;
		} else if (op >= 0x02 && op <= 0x04) step = get_fixed(&r, (size_t)1 << (op - 2)) * cie->code_unit;
		else if (op == 0x0a) {
			if (depth == 8) return 0;
			remembered[depth++] = *row;
		} else if (op == 0x0b) {
			if (depth == 0) return 0;
			*row = remembered[--depth];
		} else if (!run_extended(op, &r, cie, row, initial)) return 0;
		location += step;
		if (location > address) return 1;
	}
	return 1;
}

/* An expression that comes to a register and an offset, perhaps what lies there. Linkage tables compute with the address. */
static int evaluate(const unsigned char *block, uintptr_t address, int *reg, int64_t *offset, int *deref)
{
	struct reader r = { block, block + 16 };
	struct { int64_t value; int reg; } stack[8] = { { 0, -1 } };
	int n = 0;
	uint64_t length = get_unsigned(&r);
	r.end = r.at + length;
	*deref = 0;
	while (r.at < r.end && n < 7) {
		unsigned char op = *r.at++;
		if (*deref) return 0;
		if (op >= 0x30 && op <= 0x4f) {
			stack[n].reg = -1;
			stack[n++].value = op - 0x30;
		} else if (op == 0x70 + REGISTER_RETURN) {
			stack[n].reg = -1;
			stack[n++].value = (int64_t)address + get_signed(&r);
		} else if (op >= 0x70 && op <= 0x8f) {
			stack[n].reg = op - 0x70;
			stack[n++].value = get_signed(&r);
		} else if (op == 0x06 && n == 1) {
			*deref = 1;
		} else if (op == 0x23 && n >= 1) {
			stack[n - 1].value += (int64_t)get_unsigned(&r);
		} else if ((op == 0x1a || op == 0x2a || op == 0x24 || op == 0x22) && n >= 2) {
			int64_t a = stack[n - 2].value, b = stack[n - 1].value;
			if (stack[n - 1].reg >= 0 || (op != 0x22 && stack[n - 2].reg >= 0)) return 0;
			stack[--n - 1].value = op == 0x1a ? (a & b) : op == 0x2a ? a >= b : op == 0x24 ? (int64_t)((uint64_t)a << b) : a + b;
		} else {
			return 0;
		}
	}
	*reg = stack[0].reg;
	*offset = stack[0].value;
	return n == 1 && *reg >= 0;
}

static int fits(int64_t offset, int bits) { return (offset & 7) == 0 && offset >> (bits + 2) == (offset < 0 ? -1 : 0); }

static uint64_t rule_of_row(const struct row *row, uintptr_t address)
{
	int base = row->base, deref = 0;
	int64_t offset = row->offset;
	if (base < 0 && !evaluate(row->expression, address, &base, &offset, &deref)) return 0;
	enum rule_kind kind = deref ? RULE_FRAME_DEREF : base == REGISTER_FRAME ? RULE_FRAME : RULE_STACK;
	if (base != REGISTER_FRAME && (base != REGISTER_STACK || deref)) return 0;
	if (row->ra.where != AT_OFFSET || !fits(row->ra.offset, 16) || !fits(offset, 22)) return 0;
	enum frame_rule how = FRAME_SAME;
	int64_t frame = 0;
	if (row->frame.where == AT_OFFSET) {
		how = FRAME_AT_CANONICAL;
		frame = row->frame.offset;
	} else if (row->frame.where == BY_EXPRESSION) {
		if (!evaluate(row->frame.expression, address, &base, &frame, &deref) || deref || base != REGISTER_FRAME) return 0;
		how = FRAME_AT_FRAME;
	} else if (row->frame.where == ELSEWHERE) {
		return 0;
	}
	if (!fits(frame, 16)) return 0;
	return pack_rule(kind, how, offset / 8, frame / 8, row->ra.offset / 8);
}

uint64_t rule_from_cfi(const struct module *m, uintptr_t address)
{
	const unsigned char *fde = find_fde(m, address);
	uint64_t begin, range;
	struct cie cie;
	const uint64_t chain = pack_rule(RULE_CHAIN, FRAME_SAME, 0, 0, 0);
	if (!fde) return chain;
	struct reader r = { fde, fde + 8 };
	uint64_t length = get_fixed(&r, 4);
	if (length == 0 || length == 0xffffffff) return chain;
	const unsigned char *to_cie = r.at;
	uint64_t back = get_fixed(&r, 4);
	r.end = fde + 4 + length;
	if (!read_cie(to_cie - back, &cie) || !get_pointer(&r, cie.encoding, &begin)) return chain;
	if (!get_pointer(&r, cie.encoding & 0x0f, &range) || address < begin || address >= begin + range) return chain;
	if (cie.is_signal) return pack_rule(RULE_SIGNAL, FRAME_SAME, 0, 0, 0);
	if (cie.has_augmentation) {
		uint64_t bytes = get_unsigned(&r);
		r.at += bytes;
	}
	struct row row = { -1, 0, NULL, { SAME, 0, NULL }, { SAME, 0, NULL } }, initial;
	struct reader first = { cie.instructions, cie.end };
	if (!run(first, &cie, 0, ~0ull, &row, &row)) return 0;
	initial = row;
	if (!run(r, &cie, begin, address, &row, &initial)) return 0;
	if (row.base < 0 && !row.expression) return 0;
	return rule_of_row(&row, address);
}
