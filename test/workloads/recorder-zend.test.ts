import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { describe, expect, it, type TestContext } from 'vitest';
import { type RecordingBench, recordingBench } from '../helpers/recorded.ts';
import { requireThat } from '../helpers/require.ts';

/** Scripts say what PHP's heap holds by calling memory_get_usage(): each answer is a sample of the trace. */
const SCRIPTS = {
  strings: `
    $a = []; for ($i = 0; $i < 3000; $i++) $a["k$i"] = str_repeat(chr(65 + $i % 26), $i * 7 % 4001);
    memory_get_usage(); unset($a['k5']); $b = json_encode($a); $c = json_decode($b, true); memory_get_usage();
    $a = null; gc_mem_caches(); memory_get_usage(true);`,
  huge: `
    mt_srand(3); $a = []; $s = '';
    for ($i = 0; $i < 60; $i++) {
      if ($i % 3 == 0) $a[] = str_repeat('h', mt_rand(1 << 20, 6 << 20));
      if ($i % 3 == 1) $s .= str_repeat('g', mt_rand(1, 1 << 18));
      if ($i % 3 == 2) { $x = range(1, mt_rand(10, 90000)); $x[] = 1; unset($x); }
      if (count($a) > 5) array_splice($a, 1, 3);
      if ($i % 10 == 0) memory_get_usage();
    }`,
  limit: `
    ini_set('memory_limit', '16M');
    register_shutdown_function(function () { memory_get_usage(); });
    $keep = []; for ($i = 0; $i < 30000; $i++) $keep[] = str_repeat('z', 100 + $i % 50);
    for ($i = 0; $i < 29000; $i++) unset($keep[$i]);
    memory_get_usage(); mt_srand(1);
    for (;;) $a[] = str_repeat('x', mt_rand(10, 30000));`,
  exception: `
    register_shutdown_function(function () { memory_get_usage(); $GLOBALS['y'] = str_repeat('v', 500000); memory_get_usage(); exit(3); });
    $x = range(1, 50000); class N { public $n; }
    for ($i = 0; $i < 20000; $i++) { $o = new N; $o->n = $o; }
    function f() { throw new Error('nobody catches this'); } f();`,
};

/** PHP's numbers in a trace beside those of its replay, by sample: [usage, real usage]. */
async function usages(bench: RecordingBench, trace: string) {
  const { samples } = await bench.replay(trace, 'zendmm@8.2+glibc');
  const simulated = new Map(
    samples.map(({ label, stats }) => [label, [stats['memory_get_usage'], stats['memory_get_usage_real']]]),
  );
  const text = bench.text(trace);
  const php = [...text.matchAll(/^= (.*)\n! memory_get_usage (\d+) memory_get_usage_real (\d+) /gm)];
  return {
    text,
    php: php.map(([, label, usage, real]) => `${label}: ${usage} ${real}`),
    simulated: php.map(([, label]) => `${label}: ${simulated.get(label!)?.join(' ')}`),
    requests: php.filter(([, label]) => label!.startsWith('request ')).length,
    /** Resident bytes at the exit, simulated and as the kernel has them. */
    exit: {
      simulated: samples.find(({ label }) => label === 'exit')?.rssBytes ?? Number.NaN,
      blocks: Number(/^= exit\n! .* blocks (\d+)/m.exec(text)?.[1]),
    },
  };
}

function requirePhp(context: TestContext, program: string): void {
  const { status, stdout } = spawnSync(program, ['-v'], { encoding: 'utf8' });
  requireThat(context, status === 0 && /PHP 8\.2/.test(stdout), `no ${program} of PHP 8.2`);
  requireThat(context, process.arch === 'x64', 'needs x86-64');
}

describe('the heap of a PHP', () => {
  const cases = [
    ['strings', true],
    ['huge', false],
    ['limit', true],
    ['exception', false],
  ] as const;
  for (const [name, withOpcache] of cases) {
    it(`is what PHP says it is: ${name}, ${withOpcache ? 'with' : 'without'} opcache`, async (context) => {
      const bench = recordingBench(context);
      requirePhp(context, 'php');
      writeFileSync(`${bench.folder}/${name}.php`, `<?php ${SCRIPTS[name]}\n`);
      const settings = ['-d', `opcache.enable_cli=${withOpcache ? 1 : 0}`, '-d', 'display_errors=0'];
      const { stderr } = bench.record(['--', 'php', ...settings, `${name}.php`]);
      expect(stderr).not.toMatch(/not seen/);
      const { text, php, simulated, requests, exit } = await usages(bench, 'php.htb');
      expect(simulated).toEqual(php);
      expect(requests).toBe(1);
      // When the process begins to exit PHP has given back its heap.
      expect(text).toMatch(/^es 0\n(?!e)[\s\S]*^exit 0$/m);
      expect(Math.abs(exit.simulated - exit.blocks)).toBeLessThan(2 ** 18);
      expect(php.length).toBeGreaterThan(3);
      expect(text).toMatch(/^%machine zend 4\.2\./m);
      if (name === 'strings') expect(text).toMatch(/^gc 0$/m);
      if (name === 'limit') {
        expect(text).toMatch(/^opt 0 memory_limit 4096$/m);
        expect(text).toMatch(/^e[mr] 0 \d+ \d+ !$/m);
      }
    });
  }

  it('says where a script ends that has no heap of Zend’s', (context) => {
    requirePhp(context, 'php');
    const bench = recordingBench(context);
    writeFileSync(
      `${bench.folder}/s.php`,
      '<?php $a = []; for ($i = 0; $i < 5000; $i++) $a[] = str_repeat("x", 100 + $i % 50);',
    );
    bench.record(['--', 'php', '-n', `${bench.folder}/s.php`], { USE_ZEND_ALLOC: '0' });
    const [before, behind] = bench.text('php.htb').split(/^= php_request_shutdown$/m);
    const frees = (text: string) => text.match(/^f /gm)?.length ?? 0;
    expect(frees(behind!)).toBeGreaterThan(5000);
    expect(before!.match(/^m /gm)!.length - frees(before!)).toBeGreaterThan(5000);
  });

  it('is inherited by a fork', async (context) => {
    const bench = recordingBench(context);
    requirePhp(context, 'php');
    writeFileSync(
      `${bench.folder}/fork.php`,
      `<?php $a = range(1, 20000);
      for ($i = 1; $i < 3; $i++)
        if (pcntl_fork() == 0) { $b = array_map(fn($x) => "s$x", array_slice($a, 0, 3000 * $i)); memory_get_usage(); exit($i); }
      while (pcntl_wait($status) > 0); memory_get_usage();`,
    );
    const { processes } = bench.record(['--', 'php', 'fork.php']);
    expect(processes.map(({ exit }) => exit).sort()).toEqual([0, 1, 2]);
    for (const { trace } of processes) {
      const { php, simulated } = await usages(bench, trace);
      expect(simulated).toEqual(php);
      expect(php.length).toBeGreaterThan(1);
    }
  });

  it('is not in the trace where it is not wanted, or not used', (context) => {
    const bench = recordingBench(context);
    requirePhp(context, 'php');
    writeFileSync(`${bench.folder}/a.php`, '<?php $a = range(1, 1000);');
    const unwanted = bench.record(['--no-zend', '--', 'php', 'a.php']);
    expect(unwanted.stderr).toMatch(/PHP's own heap is not seen/);
    expect(bench.lines('php.htb').some((line) => line.startsWith('e') && !line.startsWith('exit'))).toBe(false);
    const unused = bench.record(['--', 'php', 'a.php'], { USE_ZEND_ALLOC: '0' });
    expect(unused.stderr).not.toMatch(/not seen/);
    expect(bench.lines('php.htb').some((line) => line.startsWith('e') && !line.startsWith('exit'))).toBe(false);
  });
});

describe('an FPM pool', () => {
  it('has the heap of each worker', async (context) => {
    const bench = recordingBench(context);
    const fpm = ['/usr/sbin/php-fpm8.2', '/usr/sbin/php-fpm'].find((path) => existsSync(path)) ?? 'php-fpm';
    requirePhp(context, fpm);
    const socket = `${bench.folder}/socket`;
    const root = process.getuid?.() === 0;
    writeFileSync(
      `${bench.folder}/fpm.conf`,
      `[global]\nerror_log = ${bench.folder}/log\ndaemonize = no\nprocess_control_timeout = 60s\n[www]\nlisten = ${socket}\n${root ? 'user = root\ngroup = root\n' : ''}pm = static\npm.max_children = 4\n`,
    );
    writeFileSync(
      `${bench.folder}/page.php`,
      `<?php register_shutdown_function(function () { memory_get_usage(); });
      $n = (int)$_SERVER['QUERY_STRING']; $a = [];
      for ($i = 0; $i < $n; $i++) $a["k$i"] = str_repeat('y', $i * 13 % 2000);
      if ($n % 5 == 0) $h = str_repeat('big', 500000);
      usleep(2000); echo strlen(json_encode($a));`,
    );
    const cli = `${import.meta.dirname}/../../dist/bench/cli.js`;
    const options = ['record', '--samples', '0', '-o', 'fpm.htb', '--'];
    const recorder = spawn(
      process.execPath,
      [cli, ...options, fpm, ...(root ? ['-R'] : []), '-F', '-y', `${bench.folder}/fpm.conf`],
      {
        cwd: bench.folder,
        stdio: 'ignore',
      },
    );
    const ended = new Promise((resolve) => recorder.on('close', resolve));
    for (let i = 0; i < 500 && !existsSync(socket); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    const answers: string[] = [];
    for (let i = 0; i < 6; i++) {
      const sizes = [0, 1, 2, 3].map((k) => (i * 4 + k) * 41);
      answers.push(...(await Promise.all(sizes.map((n) => ask(socket, `${bench.folder}/page.php`, `${n}`)))));
    }
    expect(answers.filter((answer) => /\r\n\r\n\d+/.test(answer))).toHaveLength(24);
    // A client has its answer before the request ends: SIGTERM would end workers between the two.
    recorder.kill('SIGQUIT');
    await ended;
    const workers = readdirSync(bench.folder).filter((name) => /^fpm\.\d+\.htb$/.test(name));
    expect(workers).toHaveLength(4);
    let requests = 0;
    for (const worker of workers) {
      const seen = await usages(bench, worker);
      expect(seen.simulated).toEqual(seen.php);
      requests += seen.requests;
    }
    expect(requests).toBe(24);
    expect(bench.text('fpm.htb')).toMatch(/^= php_module_shutdown$/m);
  });
});

/** One request over FastCGI (version 1 of its specification): the answer, as it comes. */
function ask(socket: string, script: string, query: string): Promise<string> {
  const record = (type: number, content: Buffer) => {
    const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]);
    return Buffer.concat([head, content]);
  };
  const parameters = { SCRIPT_FILENAME: script, REQUEST_METHOD: 'GET', QUERY_STRING: query };
  const pairs = Object.entries(parameters).map(([name, value]) =>
    Buffer.concat([Buffer.from([name.length, value.length]), Buffer.from(name + value)]),
  );
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    const parts: Buffer[] = [];
    connection.on('data', (part) => void parts.push(part));
    connection.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
    connection.on('error', reject);
    connection.write(
      Buffer.concat([
        record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
        record(4, Buffer.concat(pairs)),
        record(4, Buffer.alloc(0)),
        record(5, Buffer.alloc(0)),
      ]),
    );
  });
}
