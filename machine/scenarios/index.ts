/** Scripts that come with the program, by name, each with what it shows. */
export const MACHINE_SCENARIOS: Readonly<Record<string, { readonly shows: string; readonly text: string }>> = {
  'shared-memory': {
    shows:
      'shared memory is in Shmem once and in the Rss of everyone who touched it; when they are gone it is in nobody’s, and still there',
    text: `#! -m 5120
# A parent maps 2000 MB of shared anonymous memory and never touches it; one child writes the first 500 MB of it, another the
# first 1000 MB.
new parent
parent mmap A 2000M shared
sample mapped
parent fork c1
parent fork c2
c1 touch A 0 500M
c2 touch A 0 1000M
sample written
c1 exit
c2 exit
sample children-gone
parent munmap A 0 2000M
sample unmapped
`,
  },
};

/** The text of a built-in script, or undefined. */
export const builtInMachine = (name: string): string | undefined => MACHINE_SCENARIOS[name]?.text;
