import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type RecordedLoad, readLoads } from '../../scripts/truth/read-loads.mjs';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { checkHeader } from '../../src/check/header.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm } from '../../src/vm/vm.ts';
import { destinationOf } from './recorded-destination.ts';

const folder = fileURLToPath(new URL('../../fixtures/loads/', import.meta.url));

/** Refusals that `check` does not foresee, by the beginning of their ids. */
const limits: readonly { readonly cases: string; readonly reason: string }[] = JSON.parse(
  readFileSync(new URL('known-limits.json', `file://${folder}`), 'utf8'),
);
async function check(load: RecordedLoad): Promise<CheckReport> {
  const source = memorySource(load.stream());
  const damaged = await checkHeader(source);
  if (damaged) return damaged;
  const vm = await openVm(source, { schemas: packagedSchemas });
  return checkStream(vm, await destinationOf(load));
}

/** All would take ten minutes (scripts/truth/verdicts.mjs does that): one destination in twelve is enough to notice. */
const SHARE = 12;
const all = readLoads(folder).sort((a, b) => (a.profileName < b.profileName ? -1 : 1));
const destinations = [...new Set(all.map(({ profileName }) => profileName))];
const sample = new Set(destinations.filter((_, i) => i % SHARE === 0));
const loads = all.filter(({ profileName }) => sample.has(profileName));
const kinds = [...new Set(loads.map(({ kind }) => kind))].sort();

describe('check says of a stream what real QEMU made of it', () => {
  it.each(kinds)('%s', async (kind) => {
    const missed: string[] = [];
    const rejected: string[] = [];
    for (const load of loads.filter((candidate) => candidate.kind === kind)) {
      const { verdict, findings } = await check(load);
      if (!load.loaded && verdict !== 'will be rejected') missed.push(load.id);
      const [first] = findings;
      if (load.loaded && verdict === 'will be rejected')
        rejected.push(`${load.id}: ${first?.rule} ${first?.message}`);
    }
    expect(rejected, 'streams that real QEMU loaded').toEqual([]);
    const unforeseen = missed.filter((id) => !limits.some(({ cases }) => id.startsWith(cases)));
    expect(unforeseen, 'streams that real QEMU refused, and that no known limit lists').toEqual([]);
  });
});

it('every known limit is of a case that real QEMU refused, and has its reason', () => {
  for (const { cases, reason } of limits) {
    expect(all.filter(({ id, loaded }) => id.startsWith(cases) && !loaded).length, cases).toBeGreaterThan(0);
    expect(reason.length).toBeGreaterThan(20);
  }
});
