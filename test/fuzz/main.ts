import { parseArgs } from 'node:util';
import { keepCrash, readCrashes } from './crash-corpus.ts';
import { targetNamed, targets } from './targets.ts';
import { watch } from './watch.ts';

const HELP = `Usage: npm run fuzz -- KIND... [--minutes N] [--runs N] [--seed S]

Tries inputs that nobody wrote on what reads bytes from others: each is made of a real one by changes at the places
that steer its decoding, and kept to be changed further when it runs code that none did before. Whatever is thrown
but DecodeError, takes more than 10 s or 1.5 GiB, gives something else the second time, or contradicts what is known
otherwise is a failure: its input is kept in fixtures/fuzz/KIND, which the tests try from then on.

Options:
  --minutes N  for each kind (default 1)
  --runs N     inputs of each kind at the most
  --seed S     a number to begin with (default: of the clock); the same one, with --runs, tries the same inputs
  -h, --help   this text

Kinds (all: one after another):
${targets.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}

Exit status: 0 no failure, 1 failures, 2 wrong usage.

Examples:
  npm run fuzz -- stream
  npm run fuzz -- all --minutes 10
  npm run fuzz -- oracle --runs 20000 --seed 1
`;

/** Failures that are told; the others are counted. */
const MOST_TOLD = 20;

function usage(message: string): never {
  process.stderr.write(`fuzz: ${message} (--help shows the usage)\n`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        minutes: { type: 'string' },
        runs: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  return value >= 0 ? value : usage(`--${name} is no number: ${text}`);
}

const { values, positionals } = parse();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (positionals.length === 0) usage('which kind?');
const kinds = positionals.includes('all') ? targets.map(({ name }) => name) : positionals;
for (const kind of kinds) if (!targetNamed(kind)) usage(`there is no kind ${kind}`);
const minutes = positive('minutes', values.minutes, values.runs === undefined ? 1 : Number.POSITIVE_INFINITY);
const runs = positive('runs', values.runs, Number.POSITIVE_INFINITY);
const seed = positive('seed', values.seed, Date.now() % 2 ** 31);

for (const kind of kinds) await fuzzKind(kind);

/** Until time or runs are up; what ends a worker does not end that. */
async function fuzzKind(kind: string): Promise<void> {
  const started = Date.now();
  const until = started + minutes * 60_000;
  const told = new Map<string, number>();
  let done = 0;
  let [kept, covered] = [0, 0];
  for (let round = 0; done < runs && Date.now() < until; round++) {
    const before = done;
    const { progress, ended } = await watch(
      { target: kind, seed: seed + round, runs: runs - done, until },
      ({ key, text }, bytes) => {
        told.set(key, (told.get(key) ?? 0) + 1);
        if (told.get(key) !== 1 || told.size > MOST_TOLD) return;
        process.stderr.write(`${kind}: ${text.slice(0, 1500)}\n  ${keepCrash(kind, key, bytes)}\n`);
      },
      (soFar) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${kind}: ${before + soFar.runs} inputs `);
      },
    );
    done += progress.runs;
    kept = Math.max(kept, progress.kept);
    covered = Math.max(covered, progress.covered);
    if (ended === undefined) break;
    if (progress.runs === 0) break;
  }
  if (told.size > 0) process.exitCode = 1;
  const failures = [...told.values()].reduce((sum, count) => sum + count, 0);
  const result = {
    kind,
    seed,
    inputs: done,
    seconds: Math.round((Date.now() - started) / 1000),
    kept,
    covered,
    kindsOfFailure: told.size,
    failures,
    crashes: readCrashes(kind).length,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
