/**
 * Measures vmwalk on a big stream beside `cat` and QEMU's own script, and on a QEMU binary beside `cat` and `readelf`.
 * See README.md beside this file.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, median, outputHash, timeToFirstOutput } from './measure.mjs';
import { fetchScript } from './qemu-script.mjs';
import { compareSchema, findProgram } from './schema.mjs';
import { benchStream } from './stream.mjs';
import { deviceStateHash, stretch } from './tail.mjs';

const USAGE = `Usage: npm run bench -- [options]

  --stream FILE   measure this stream instead of one that QEMU on PATH makes
  --script FILE   QEMU's scripts/analyze-migration.py, instead of the one of Debian's source package
  --qemu BINARY   extract the schema of this QEMU instead of the qemu-system-x86_64 on PATH
  --rounds N      times that each command is run (5)

Exit status: 0, 1 when vmwalk and another program say different things, 2 when nothing could be measured.
`;

/** What is aimed at: a scan at the speed of reading, whatever the size, and no waiting for a look at a small file. */
const targets = {
  timesCat: 1.5,
  peakMB: 150,
  startup: 0.12,
  version: 0.05,
  infoBeyondCat: 0.15,
  extract: 0.7,
  deviceState: 0.3,
  timesSmaller: 1.1,
};

/** Bytes of the stream whose RAM is not read, sparse. */
const STRETCHED = 16 * 2 ** 30;

/** Small runs vary more. */
const STARTUP_ROUNDS = 15;

const root = fileURLToPath(new URL('..', import.meta.url));
const vmwalk = [process.execPath, join(root, 'dist/cli/main.js')];

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {readonly string[]} command
 * @property {import('./measure.mjs').Run[]} runs
 */

async function main() {
  const { values } = parseArgs({
    options: {
      stream: { type: 'string' },
      script: { type: 'string' },
      qemu: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help) return process.stdout.write(USAGE);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1');
  if (!existsSync(vmwalk[1])) throw new Error('dist/ is missing: npm run build makes it');
  const folder = join(root, '.bench');
  mkdirSync(folder, { recursive: true });

  const stream = values.stream === undefined ? await makeStream(folder) : resolve(values.stream);
  const script = values.script === undefined ? findScript(folder) : resolve(values.script);
  const contenders = listContenders(stream, script);

  printMachine();
  console.log(`${stream}: ${statSync(stream).size} bytes, read once before; ${rounds} rounds, medians\n`);
  await runAll(contenders, rounds);
  printTable(contenders);
  console.log('');
  printTargets(contenders);
  if (!(await measureDeviceState(stream, folder, rounds))) process.exitCode = 1;
  if (!(await measureStartup())) process.exitCode = 1;
  const binary = values.qemu === undefined ? findProgram('qemu-system-x86_64') : resolve(values.qemu);
  if (binary !== undefined && !(await measureExtraction(binary, rounds))) process.exitCode = 1;
  console.log('');
  if (script !== undefined && !(await compareOutput(stream, script))) process.exitCode = 1;
}

/**
 * Each once to warm up, then all of them in turn.
 *
 * @param {readonly Contender[]} contenders
 * @param {number} rounds
 */
async function runAll(contenders, rounds) {
  for (const { command } of contenders) await measure(command);
  for (let round = 0; round < rounds; round++) {
    for (const { command, runs } of contenders) runs.push(await measure(command));
  }
}

/** @param {string} folder */
async function makeStream(folder) {
  console.error('making a stream of 1.3 GiB with qemu-system-x86_64, unless .bench/ has it');
  try {
    return await benchStream(folder);
  } catch (error) {
    throw new Error(`QEMU made no stream (${message(error)}); pass one with --stream`);
  }
}

/** @param {string} folder */
function findScript(folder) {
  console.error("downloading QEMU's source package for its script, unless .bench/ has it");
  try {
    return fetchScript(folder);
  } catch (error) {
    console.error(`no script to compare with (${message(error)}); pass it with --script`);
    return undefined;
  }
}

/**
 * @param {string} stream
 * @param {string | undefined} script
 * @returns {Contender[]}
 */
function listContenders(stream, script) {
  const commands = {
    cat: ['cat', stream],
    'vmwalk info': [...vmwalk, 'info', stream],
    'vmwalk dump --full-scan': [...vmwalk, 'dump', '--full-scan', stream],
    'vmwalk dump --ndjson --full-scan': [...vmwalk, 'dump', '--ndjson', '--full-scan', stream],
    'vmwalk dump --analyze-migration --full-scan': [...analyzeCommand(stream), '--full-scan'],
    ...(script === undefined ? {} : { 'analyze-migration.py': scriptCommand(stream, script) }),
  };
  return contendersOf(commands);
}

/**
 * @param {Readonly<Record<string, readonly string[]>>} commands
 * @returns {Contender[]}
 */
function contendersOf(commands) {
  return Object.entries(commands).map(([name, command]) => ({ name, command, runs: [] }));
}

/**
 * Measures the extraction of a schema. Does it say of the binary what others say?
 *
 * @param {string} binary
 * @param {number} rounds
 */
async function measureExtraction(binary, rounds) {
  const extract = [...vmwalk, 'schema', 'extract', binary];
  const contenders = contendersOf({
    cat: ['cat', binary],
    'readelf -r': ['readelf', '-rW', binary],
    'vmwalk schema extract': extract,
    'vmwalk schema extract -o F.json.gz': [...extract, '-o', join(root, '.bench', 'schema.json.gz')],
  });
  await runAll(contenders, rounds);
  console.log(`\n${binary}: ${statSync(binary).size} bytes\n`);
  printTable(contenders);
  console.log('');
  for (const { name, runs } of contenders.slice(2)) {
    const isMet = (medianOf(runs, 'wall') ?? 0) < targets.extract;
    printTarget(`${name}: below ${milliseconds(targets.extract)}`, isMet);
  }
  const differences = compareSchema(binary, vmwalk);
  console.log(
    differences.length === 0 ? 'version and build id are right' : `WRONG: ${differences.join('; ')}`,
  );
  return differences.length === 0;
}

/**
 * Measures `dump` without a look at RAM, for the stream and for one of 16 GiB. Is what it prints the same as with one?
 *
 * @param {string} stream
 * @param {string} folder
 * @param {number} rounds
 */
async function measureDeviceState(stream, folder, rounds) {
  const stretched = stretch(vmwalk, stream, folder, STRETCHED);
  const contenders = contendersOf({
    'node -p 0': [process.execPath, '-p', '0'],
    [`vmwalk dump (${statSync(stream).size} bytes)`]: [...vmwalk, 'dump', stream],
    [`vmwalk dump (${STRETCHED} bytes)`]: [...vmwalk, 'dump', stretched],
  });
  await runAll(contenders, rounds);
  console.log('');
  printTable(contenders);
  console.log('');
  const [, small, large] = contenders;
  for (const { name, runs } of [small, large]) {
    const isMet = (medianOf(runs, 'wall') ?? 0) < targets.deviceState;
    printTarget(`${name}: below ${milliseconds(targets.deviceState)}`, isMet);
  }
  const figure = medianOf(small.runs, 'cpu') === undefined ? 'wall' : 'cpu';
  const times = medianOf(large.runs, figure) / medianOf(small.runs, figure);
  printTarget(`16 GiB: at most ${targets.timesSmaller} × that`, times <= targets.timesSmaller);
  const lines = [[], ['--full-scan']].map((options) => deviceStateHash(vmwalk, stream, options));
  const full = await outputHash([...analyzeCommand(stream), '--full-scan']);
  const isSame = lines[0] === lines[1] && full === (await outputHash(analyzeCommand(stretched)));
  console.log(`with --full-scan it prints ${isSame ? 'the same' : 'something ELSE'}`);
  return isSame;
}

/** @param {string} stream */
function analyzeCommand(stream) {
  return [...vmwalk, 'dump', '--analyze-migration', stream];
}

/**
 * @param {string} stream
 * @param {string} script
 */
function scriptCommand(stream, script) {
  return ['python3', script, '-f', stream, '-d', 'state'];
}

function printMachine() {
  const processors = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  console.log(`${processors.length} × ${processors[0]?.model.trim()}, ${memory} GiB, ${type()} ${release()}`);
  const load = loadavg()[0]?.toFixed(1);
  console.log(`Node ${process.versions.node}, load average ${load} before the first run`);
}

/** @param {readonly Contender[]} contenders */
function printTable(contenders) {
  const cat = contenders[0];
  const script = contenders.find(({ name }) => name.endsWith('.py'));
  const rows = contenders.map((contender) => {
    const { name, runs } = contender;
    return [
      name,
      show(medianOf(runs, 'wall'), 3),
      show(medianOf(runs, 'cpu'), 2),
      show(medianOf(runs, 'peak'), 0),
      show(ratio(contender, cat), 2),
      script ? show(ratio(contender, script), 3) : '',
    ];
  });
  const head = ['', 'wall s', 'user+sys s', 'peak MB', `× ${cat.name}`, script ? '× script' : ''];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  for (const [name, ...cells] of table) {
    const line = cells.map((cell, i) => cell.padStart(widths[i + 1])).join('  ');
    console.log(`${name.padEnd(widths[0])}  ${line}`.trimEnd());
  }
}

/**
 * Median of one figure; undefined where it could not be measured.
 *
 * @param {readonly import('./measure.mjs').Run[]} runs
 * @param {'wall' | 'cpu' | 'peak'} figure
 */
function medianOf(runs, figure) {
  const values = runs.map((run) => run[figure]);
  return values.includes(undefined) ? undefined : median(values);
}

/**
 * How many times as long one takes: the median of the rounds' ratios, as a machine's speed changes from round to round.
 *
 * @param {Contender} contender
 * @param {Contender} other
 */
function ratio({ runs }, other) {
  return median(runs.map(({ wall }, round) => wall / other.runs[round].wall));
}

/**
 * @param {number | undefined} value
 * @param {number} digits
 */
function show(value, digits) {
  return value === undefined ? '-' : value.toFixed(digits);
}

/** @param {readonly Contender[]} contenders */
function printTargets(contenders) {
  const cat = contenders[0];
  for (const contender of contenders) {
    if (!contender.name.startsWith('vmwalk')) continue;
    const times = ratio(contender, cat);
    if (contender.name === 'vmwalk info') {
      const figure = medianOf(cat.runs, 'cpu') === undefined ? 'wall' : 'cpu';
      const beyond = median(
        contender.runs.map((run, i) => run[figure] - targets.timesCat * cat.runs[i][figure]),
      );
      const text = `${contender.name}: ${milliseconds(beyond)} beyond ${targets.timesCat} × cat in user and system time`;
      printTarget(`${text}, at most ${milliseconds(targets.infoBeyondCat)}`, beyond <= targets.infoBeyondCat);
    }
    const peak = medianOf(contender.runs, 'peak');
    printTarget(`${contender.name}: at most ${targets.timesCat} × cat`, times <= targets.timesCat);
    if (peak !== undefined) {
      printTarget(`${contender.name}: below ${targets.peakMB} MB at its peak`, peak < targets.peakMB);
    }
  }
}

/**
 * @param {string} text
 * @param {boolean} isMet
 */
function printTarget(text, isMet) {
  console.log(`${isMet ? 'met   ' : 'MISSED'}  ${text}`);
}

/**
 * What a start costs beside that of Node itself: `--version`, and the first output for a small stream. Are they right?
 *
 * @returns {Promise<boolean>}
 */
async function measureStartup() {
  const small = join(root, 'examples/pc.qevm');
  const commands = {
    'node -e 0': [process.execPath, '-e', '0'],
    'vmwalk --version': [...vmwalk, '--version'],
    'vmwalk info examples/pc.qevm': [...vmwalk, 'info', small],
    'vmwalk dump examples/pc.qevm': [...vmwalk, 'dump', small],
  };
  const contenders = contendersOf(commands);
  await runAll(contenders, STARTUP_ROUNDS);
  console.log('');
  printTable(contenders);
  console.log('');
  const [node, version] = contenders;
  const figure = medianOf(node.runs, 'cpu') === undefined ? 'wall' : 'cpu';
  const beyond = median(version.runs.map((run, round) => run[figure] - node.runs[round][figure]));
  const limit = `at most ${milliseconds(targets.version)} beyond node -e 0`;
  printTarget(`vmwalk --version: ${milliseconds(beyond)}, ${limit}`, beyond <= targets.version);
  for (const { name, command } of contenders.slice(2)) {
    const times = [];
    for (let round = 0; round <= STARTUP_ROUNDS; round++) {
      const bare = await timeToFirstOutput([process.execPath, '-p', '0']);
      times.push((await timeToFirstOutput(command)) - bare);
    }
    // Without the first round, which warms up.
    const later = median(times.slice(1));
    const text = `${name}: first output ${milliseconds(later)} after that of node -p 0`;
    printTarget(`${text}, to be at most ${milliseconds(targets.startup)}`, later <= targets.startup);
  }
  const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const isRight = (await outputHash(version.command)) === sha256(`${expected}\n`);
  console.log(`the version is ${isRight ? 'right' : 'WRONG'}`);
  return isRight;
}

/** @param {string} text */
function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

/** @param {number} seconds */
function milliseconds(seconds) {
  return `${(seconds * 1000).toFixed(0)} ms`;
}

/**
 * Do vmwalk and the script print the same?
 *
 * @param {string} stream
 * @param {string} script
 */
async function compareOutput(stream, script) {
  const ours = await outputHash(analyzeCommand(stream));
  const theirs = await outputHash(scriptCommand(stream, script));
  console.log(`SHA-256 of what is printed:\n  ${ours}  vmwalk dump --analyze-migration`);
  console.log(`  ${theirs}  analyze-migration.py -d state`);
  console.log(ours === theirs ? 'the same' : 'NOT the same');
  return ours === theirs;
}

/** @param {unknown} error */
function message(error) {
  return error instanceof Error ? error.message : String(error);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${message(error)}`);
  process.exitCode = 2;
}
