/*
 * Lines of PHP, from the functions with which the engine itself says where it is in its error messages, at any allocation:
 * zend_get_executed_filename and zend_get_executed_lineno (Zend/zend_execute.h). A place is logged when it is first seen.
 */
#include "recorder.h"
#include "script.h"
#include <dlfcn.h>
#include <string.h>

static const char *(*executed_file)(void);
static uint32_t (*executed_line)(void);

/* By file and line as they lie in memory, for one request. */
#define RECENT 4096
static struct { const char *file; uint32_t line, request; uint64_t place; } recent[RECENT];
static uint32_t request = 1;

/* By what the file's name and the line are. */
#define PLACES 65536
static struct { uint64_t hash; uint32_t number, image; } places[PLACES];
static uint32_t place_count, image = 1;

void find_script_functions(void *library)
{
	executed_line = (uint32_t(*)(void))dlsym(library, "zend_get_executed_lineno");
	executed_file = (const char *(*)(void))dlsym(library, "zend_get_executed_filename");
	if (!executed_line) executed_file = NULL;
}

void begin_script(void) { request++; }

void forget_script_places(void)
{
	image++;
	request++;
	place_count = 0;
}

/* LINE FILE in pieces of 15 bytes, as modules have it (sites.c). */
static void log_place(uint32_t number, const char *file, uint32_t line)
{
	char text[2048], digits[12], *d = digits + sizeof digits;
	*--d = 0;
	do *--d = (char)('0' + line % 10);
	while (line /= 10);
	char *end = stpcpy(stpcpy(text, d), " ");
	size_t length = strnlen(file, sizeof text - 16);
	memcpy(end, file, length);
	log_text(OP_PLACE, number, text, length + (size_t)(end - text));
}

static uint64_t find_place(const char *file, uint32_t line)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ line;
	for (const char *c = file; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
	uint64_t i = hash >> 48;
	for (; places[i % PLACES].image == image; i++)
		if (places[i % PLACES].hash == hash) return SCRIPT_PLACES | places[i % PLACES].number;
	if (place_count >= PLACES / 2) return 0;
	places[i % PLACES].hash = hash;
	places[i % PLACES].number = ++place_count;
	places[i % PLACES].image = image;
	log_place(place_count, file, line);
	return SCRIPT_PLACES | place_count;
}

uint64_t script_place(void)
{
	uint32_t line;
	if (!executed_file || (line = executed_line()) == 0) return 0;
	const char *file = executed_file();
	uint64_t i = (((uintptr_t)file >> 4 ^ line) * 0x9e3779b97f4a7c15ull) >> 52;
	if (recent[i].file != file || recent[i].line != line || recent[i].request != request) {
		uint64_t place = find_place(file, line);
		recent[i].file = file;
		recent[i].line = line;
		recent[i].request = request;
		recent[i].place = place;
	}
	return recent[i].place;
}
