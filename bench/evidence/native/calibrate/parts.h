/* The parts of the calibration: each reports figures of its own, and runs in a process of its own. */
#pragma once

/* calls.c: calls of the allocator that its caches serve, and that an arena serves. */
void measure_calls(void);
double malloc_share(void);
/* working-set.c: calls as a program makes them, on blocks and events that do not fit the caches. */
void measure_working_set(void);
/* pages.c: pages that come and go. */
void measure_faults(void);
void measure_fault_fills(void);
void measure_releases(void);
void measure_first_faults(void);
/* syscalls.c */
void measure_syscalls(void);
/* caches.c: filling and copying, and what a line costs that is not near. */
void measure_rates(void);
void measure_memory_rates(void);
/* futex.c */
void measure_futex_calls(void);
void measure_wake_idle(void);
double futex_hand_over(int second_cpu);
/* lines.c: lines that two processors want. */
void measure_lines(void);
/* shoot-down.c: taking pages away while other processors run threads of the process. */
void measure_shoot_down(void);
/* threads.c: switches between threads, and a thread's life. */
double context_switch(void);
void measure_thread_lives(void);
