#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *cursor, *line_end;
uint64_t line_number;

void skip_spaces(void) {
  while (cursor < line_end && *cursor == ' ') cursor++;
}
uint64_t number(void) {
  skip_spaces();
  if (cursor >= line_end || *cursor < '0' || *cursor > '9') die("replay: line %lu: number expected", line_number);
  uint64_t value = 0;
  while (cursor < line_end && *cursor >= '0' && *cursor <= '9') value = value * 10 + (*cursor++ - '0');
  return value;
}
uint32_t number32(void) {
  uint64_t value = number();
  if (value > UINT32_MAX) die("replay: line %lu: %lu is out of range", line_number, value);
  return value;
}
struct word word(void) {
  skip_spaces();
  const char *start = cursor;
  while (cursor < line_end && *cursor != ' ') cursor++;
  return (struct word){start, cursor - start};
}
bool is(struct word word, const char *text) {
  return strlen(text) == word.length && !memcmp(word.text, text, word.length);
}

const char *read_all(const char *path, size_t *length) {
  int file = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : 0;
  if (file < 0) die("replay: cannot open %s: %s", path, strerror(errno));
  size_t room, used = 0;
  char *text = harness_tail(&room);
  for (ssize_t n; (n = read(file, text + used, 1 << 20)) != 0; used += n) {
    if (n < 0 && errno == EINTR) n = 0;
    else if (n < 0) die("replay: cannot read %s: %s", path, strerror(errno));
    if (used + n + (1 << 20) > room) die("replay: the trace is too large");
  }
  if (file) close(file);
  if (used >= 2 && (unsigned char)text[0] == 0x1f && (unsigned char)text[1] == 0x8b)
    die("replay: %s is packed; gzip -dc %s | replay ... -", path, path);
  *length = used;
  return harness_alloc(used + 1);
}
