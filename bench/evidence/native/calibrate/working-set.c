/*
 * Calls as a program makes them that replays a trace: read from a list that does not fit the caches, each block kept in a
 * place of its own, with sizes that no branch predictor learns. Of no allocator (what is left is the program's own), and of the arenas.
 */
#include "measure.h"
#include "parts.h"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct step { /* as large as an event of a compiled trace */
	uint32_t op, block, need, spare;
	uint64_t size, spares[3];
};
struct place {
	void *block;
	_Atomic uint32_t uses; /* other threads look at it */
};
enum { STEPS = 250000, LIVE = 256 };
static _Alignas(64) char dummy[64];
static void *take_nothing(size_t size) { (void)size; return dummy; }
static void give_nothing(void *p) { (void)p; }

/* Blocks of 1040 bytes to 65 KiB, which pass by the thread cache, made and freed at random, LIVE at once at most. */
static void make_steps(struct step *steps)
{
	uint32_t r = 2463534242, live[LIVE], count = 0, blocks = 0;
	for (int i = 0; i < STEPS; i++) {
		r ^= r << 13, r ^= r >> 17, r ^= r << 5;
		if (count < (uint32_t)(STEPS - i) && (count == 0 || (count < LIVE && r >> 31))) {
			uint32_t base = 1040U << (r >> 8) % 6;
			live[count++] = blocks;
			steps[i] = (struct step){.op = 1, .block = blocks++, .size = base + (r >> 12) % base};
		} else {
			uint32_t n = r % count;
			steps[i] = (struct step){.op = 0, .block = live[n], .need = 1};
			live[n] = live[--count];
		}
	}
}
static void __attribute__((noinline)) drive(const struct step *steps, void *(*volatile *take)(size_t),
					    void (*volatile *give)(void *), struct place *places)
{
	for (const struct step *s = steps; s < steps + STEPS; s++) {
		struct place *place = places + s->block;
		switch (s->op) {
		case 0:
			while (atomic_load_explicit(&place->uses, memory_order_acquire) < s->need) __builtin_ia32_pause();
			if (place->block) (*give)(place->block);
			break;
		case 1:
			place->block = (*take)(s->size);
			atomic_store_explicit(&place->uses, 1, memory_order_release);
			break;
		}
	}
}
static double arena_calls(void)
{
	double own, all;
	struct step *steps = (struct step *)map(sizeof *steps * STEPS);
	struct place *places = (struct place *)map(sizeof *places * STEPS);
	memset(places, 0, sizeof *places * STEPS);
	make_steps(steps);
	void *(*volatile take)(size_t) = take_nothing;
	void (*volatile give)(void *) = give_nothing;
	TYPICAL(own, STEPS, , drive(steps, &take, &give, places));
	report("eventNs", own);
	take = malloc;
	give = free;
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	drive(steps, &take, &give, places); /* the heap gets its size */
	TYPICAL(all, STEPS, , drive(steps, &take, &give, places));
	report("arenaCallNs", all > own ? all - own : 0);
	munmap(steps, sizeof *steps * STEPS);
	munmap(places, sizeof *places * STEPS);
	return all - own;
}

static struct line line;

/*
 * Two threads on two processors use one arena in turns: what it costs that the lines of the arena and of its chunks come over,
 * beside the line that says whose turn it is.
 */
enum { HANDS = 200 };
static struct step *hand_steps; /* those of this burst */
static struct place *hand_places;
static int hand_uses_arena;
static void hand(int i)
{
	struct step *s = hand_steps + i;
	if (!hand_uses_arena) return;
	struct place *place = hand_places + s->block;
	if (s->op == 1) place->block = malloc(s->size);
	else free(place->block);
}
static void *hand_player(void *arg)
{
	(void)arg;
	pin(1);
	for (uint32_t i = 1; i < HANDS; i += 2) {
		while (atomic_load_explicit(&line.other, memory_order_acquire) != i) __builtin_ia32_pause();
		hand(i);
		atomic_store_explicit(&line.other, i + 1, memory_order_release);
	}
	return NULL;
}
static double in_turns(int uses_arena)
{
	double times[HANDS / 2];
	pthread_t player;
	hand_uses_arena = uses_arena;
	atomic_store(&line.other, UINT32_MAX);
	pin(0);
	pthread_create(&player, NULL, hand_player, NULL);
	usleep(BURST_PAUSE_US);
	atomic_store(&line.other, 0);
	int count = 0;
	double t = now_ns();
	for (uint32_t i = 0; i < HANDS; i += 2) {
		while (atomic_load_explicit(&line.other, memory_order_acquire) != i) __builtin_ia32_pause();
		double end = now_ns();
		times[count++] = end - t;
		t = end;
		hand(i);
		atomic_store_explicit(&line.other, i + 1, memory_order_release);
	}
	pthread_join(player, NULL);
	unpin();
	return median(times, count) / 2;
}

void measure_working_set(void)
{
	double call = arena_calls();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
	hand_steps = (struct step *)map(sizeof *hand_steps * STEPS);
	hand_places = (struct place *)map(sizeof *hand_places * STEPS);
	make_steps(hand_steps);
	double extras[BURSTS];
	for (int burst = 0; burst < BURSTS; burst++, hand_steps += HANDS) extras[burst] = in_turns(1) - in_turns(0);
	double extra = median(extras, BURSTS) - call;
	if (extra > 0) report("arenaHandOverNs", extra);
}
