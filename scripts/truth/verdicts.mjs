/**
 * Holds `check` to what real QEMU made of the same streams: a table of loads with the verdict of each, as loads.mjs
 * writes it. Prints how often they agree, and each case where they do not.
 *
 *   node scripts/truth/verdicts.mjs [--without-tables | --without-profile] [--only TEXT] [--findings] TABLE
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkStream } from '../../dist/check/check.js';
import { openStream } from '../../dist/layout/open.js';
import { useBuiltinInfoTables, useBuiltinTables } from '../../dist/node/builtin-schemas.js';
import { openDestination } from '../../dist/node/open-destination.js';
import { openInput } from '../../dist/node/open-input.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'without-tables': { type: 'boolean' },
    'without-profile': { type: 'boolean' },
    only: { type: 'string' },
    findings: { type: 'boolean' },
  },
});
const [table] = positionals;
if (table === undefined) throw new Error('which table?');
const folder = dirname(table);
const schemas = new URL('../../schemas/', import.meta.url);
/** @type {{ file: string, qemuVersion: string, target: string }[]} */
const index = JSON.parse(await readFile(new URL('index.json', schemas), 'utf8'));

/** @type {{ cases: Case[] } | Case[]} */
const parsed = JSON.parse(await readFile(table, 'utf8'));
const cases = Array.isArray(parsed) ? parsed : parsed.cases;

/**
 * @typedef {{ version: string, target: string, args: string[] }} Side
 * @typedef {{ id: string, kind: string, source: Side, destination: Side, stream: string, profile?: string,
 *   verdict: { loaded: boolean, words: string[] } }} Case
 */

/** @param {Side} side */
function schemaOf({ version, target }) {
  const entry = index.find((each) => each.target === target && each.qemuVersion.startsWith(`${version}.`));
  return entry && fileURLToPath(new URL(entry.file, schemas));
}

/** @type {Map<string, Promise<import('../../dist/node/open-destination.js').OpenedDestination>>} */
const destinations = new Map();

/** @param {Case} one */
function destinationOf({ profile, destination }) {
  const key = `${destination.version} ${destination.target} ${profile}`;
  let opened = destinations.get(key);
  if (!opened) {
    opened = openDestination({
      schema: values['without-tables'] ? undefined : schemaOf(destination),
      profile: values['without-profile'] ? undefined : profile && resolve(folder, profile),
    });
    destinations.set(key, opened);
  }
  return opened;
}

/** @param {Case} one */
async function check(one) {
  const input = await openInput(resolve(folder, one.stream));
  try {
    let opened = await openStream(input.source);
    opened = opened.schema ? useBuiltinInfoTables(opened) : await useBuiltinTables(opened);
    const { destination } = await destinationOf(one);
    return await checkStream(opened, destination);
  } finally {
    await input.close();
  }
}

const counts = { right: 0, 'false rejection': 0, missed: 0, 'cannot tell': 0, failed: 0 };
const started = performance.now();
for (const one of cases) {
  if (values.only !== undefined && !one.id.includes(values.only)) continue;
  let outcome;
  let lines = [];
  try {
    const { verdict, reason, findings } = await check(one);
    const loads = verdict === 'no blocker found';
    if (verdict === 'cannot tell') outcome = 'cannot tell';
    else if (loads === one.verdict.loaded) outcome = 'right';
    else outcome = loads ? 'missed' : 'false rejection';
    lines = findings
      .filter(({ severity }) => severity !== 'note' || values.findings)
      .map(
        ({ rule, severity, section, path, message, says }) =>
          `    ${severity} ${rule}: ${section ?? ''} ${path?.join('/') ?? ''}: ${message}${says ? ` [${says}]` : ''}`,
      );
    if (reason) lines.push(`    ${reason}`);
  } catch (error) {
    outcome = 'failed';
    lines = [`    ${error instanceof Error ? error.stack : error}`];
  }
  counts[outcome]++;
  if (outcome === 'right' && !values.findings) continue;
  console.log(`${outcome}: ${one.id} (${one.kind})`);
  for (const word of one.verdict.words.slice(0, 4)) console.log(`    QEMU: ${word}`);
  for (const line of lines.slice(0, 8)) console.log(line);
}
for (const opened of destinations.values()) await (await opened).close();
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
console.log(
  counts,
  `of ${total}: ${((100 * counts.right) / total).toFixed(1)} % right, ${((performance.now() - started) / total).toFixed(0)} ms each`,
);
