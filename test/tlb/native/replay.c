/*
 * Replays a list of mallocs and frees: 32-bit words, slot and size, size -1 for a free. Blocks are written, and read before they are
 * freed, by the code between use_start and use_end and by nothing else: eight bytes an access.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void write_words(void *block, uint64_t words);
void read_words(const void *block, uint64_t words);
__asm__(
	".text\n.globl use_start\nuse_start:\n"
	".globl write_words\nwrite_words: test %rsi, %rsi\n jz 2f\n1: movq %rsi, (%rdi)\n add $8, %rdi\n dec %rsi\n jnz 1b\n2: jmp leave\n"
	".globl read_words\nread_words: test %rsi, %rsi\n jz 4f\n3: movq (%rdi), %rax\n add $8, %rdi\n dec %rsi\n jnz 3b\n4: jmp leave\n"
	".globl use_end\nuse_end:\nleave: ret\n");

#define SLOTS (1 << 16)
static void *blocks[SLOTS];
static uint32_t sizes[SLOTS];

int main(int argc, char **argv) {
	static uint32_t events[1 << 16]; /* no stdio: the heap is the list's alone */
	if (argc < 2) return 2;
	int file = open(argv[1], O_RDONLY);
	for (ssize_t bytes; (bytes = read(file, events, sizeof events)) > 0;)
		for (uint32_t *event = events; (char *)event < (char *)events + bytes; event += 2) {
			uint32_t slot = event[0], size = event[1];
			if (slot >= SLOTS) return 3;
			if (size == UINT32_MAX) {
				read_words(blocks[slot], (sizes[slot] + 7) / 8);
				free(blocks[slot]);
				continue;
			}
			blocks[slot] = malloc(size);
			sizes[slot] = size;
			write_words(blocks[slot], (size + 7) / 8);
		}
	return 0;
}
